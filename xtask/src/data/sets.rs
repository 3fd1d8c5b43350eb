//! The data sets that can be had: a new one is a row here.

use super::digest::Checksum;

/// A public data set.
pub(super) struct DataSet {
    pub(super) name: &'static str,
    /// Where its files lie, in the data folder and in a mirror; several sets may share one.
    pub(super) folder: &'static str,
    pub(super) about: &'static str,
    pub(super) licence: &'static str,
    /// The publisher's folder; a file's address is this and its name.
    pub(super) from: &'static str,
    pub(super) files: &'static [File],
}

/// A file of a data set.
pub(super) struct File {
    pub(super) name: &'static str,
    /// How much is downloaded, as the publisher serves it: for the list alone.
    pub(super) bytes: u64,
    pub(super) checksum: Checksum<'static>,
}

/// A file of which the SHA-256 of its content is known.
const fn content(name: &'static str, bytes: u64, sha256: &'static str) -> File {
    let checksum = Checksum::Sha256(sha256);
    File {
        name,
        bytes,
        checksum,
    }
}

/// A file of which its publisher states the MD5.
const fn published(name: &'static str, bytes: u64, md5: &'static str) -> File {
    let checksum = Checksum::Md5(md5);
    File {
        name,
        bytes,
        checksum,
    }
}

pub(super) const ALL: &[DataSet] = &[
    DataSet {
        name: "mnist",
        folder: "mnist",
        about: "60 000 + 10 000 handwritten digits of 28×28 pixels; LeCun, Cortes, Burges",
        licence: "CC BY-SA 3.0",
        from: "https://ossci-datasets.s3.amazonaws.com/mnist/",
        files: &[
            content(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            content(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            content(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            content(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ],
    },
    DataSet {
        name: "fashion-mnist",
        folder: "fashion-mnist",
        about: "60 000 + 10 000 articles of clothing of 28×28 pixels; Xiao, Rasul, Vollgraf",
        licence: "MIT",
        from: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files: &[
            published(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            ),
            published(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
            published(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "bef4ecab320f06d8554ea6380940ec79",
            ),
            published(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
        ],
    },
    DataSet {
        name: "cifar-10",
        folder: "cifar-10",
        about: "50 000 + 10 000 photographs of ten kinds of things, 32×32 pixels in colour; Krizhevsky, Nair, Hinton",
        licence: "none stated; to be cited",
        from: "https://www.cs.toronto.edu/~kriz/",
        files: &[published(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c32a1d4ab5d03f1284b67883e8d87530",
        )],
    },
    DataSet {
        name: "names",
        folder: "names",
        about: "20 050 surnames of 18 languages; Robertson",
        licence: "MIT",
        // The data.zip of PyTorch's tutorials holds another version, of 20 074 names.
        from: "https://raw.githubusercontent.com/spro/practical-pytorch/master/data/names/",
        files: &[
            content(
                "Arabic.txt",
                13_190,
                "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
            ),
            content(
                "Chinese.txt",
                1_246,
                "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
            ),
            content(
                "Czech.txt",
                3_916,
                "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
            ),
            content(
                "Dutch.txt",
                2_351,
                "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
            ),
            content(
                "English.txt",
                27_125,
                "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
            ),
            content(
                "French.txt",
                2_178,
                "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
            ),
            content(
                "German.txt",
                5_610,
                "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
            ),
            content(
                "Greek.txt",
                1_981,
                "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
            ),
            content(
                "Irish.txt",
                1_858,
                "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
            ),
            content(
                "Italian.txt",
                5_657,
                "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
            ),
            content(
                "Japanese.txt",
                7_622,
                "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
            ),
            content(
                "Korean.txt",
                423,
                "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
            ),
            content(
                "Polish.txt",
                1_165,
                "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
            ),
            content(
                "Portuguese.txt",
                554,
                "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
            ),
            content(
                "Russian.txt",
                85_168,
                "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
            ),
            content(
                "Scottish.txt",
                752,
                "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
            ),
            content(
                "Spanish.txt",
                2_284,
                "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
            ),
            content(
                "Vietnamese.txt",
                339,
                "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
            ),
        ],
    },
    DataSet {
        name: "multi30k",
        folder: "multi30k",
        about: "29 000 + 1 014 + 1 000 sentences in German and English; Elliott, Frank, Sima'an, Specia",
        licence: "research use",
        from: "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/",
        files: &[
            content(
                "test_2016_flickr.de.gz",
                22_890,
                "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
            ),
            content(
                "test_2016_flickr.en.gz",
                21_077,
                "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
            ),
            content(
                "train.de.gz",
                637_044,
                "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
            ),
            content(
                "train.en.gz",
                568_929,
                "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
            ),
            content(
                "val.de.gz",
                24_681,
                "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
            ),
            content(
                "val.en.gz",
                21_650,
                "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
            ),
        ],
    },
    DataSet {
        name: "cora",
        folder: "planetoid",
        about: "2 708 papers of 7 subjects, their words and who cites whom, as Planetoid splits them; Yang, Cohen, Salakhutdinov",
        licence: "MIT",
        from: "https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/",
        files: &[
            content(
                "ind.cora.x",
                22_119,
                "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
            ),
            content(
                "ind.cora.tx",
                148_025,
                "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
            ),
            content(
                "ind.cora.allx",
                257_305,
                "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
            ),
            content(
                "ind.cora.y",
                4054,
                "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
            ),
            content(
                "ind.cora.ty",
                28_135,
                "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
            ),
            content(
                "ind.cora.ally",
                47_959,
                "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
            ),
            content(
                "ind.cora.graph",
                59_847,
                "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
            ),
            content(
                "ind.cora.test.index",
                5000,
                "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
            ),
        ],
    },
    DataSet {
        name: "los-loop",
        folder: "los-loop",
        about: "speeds at 207 loop detectors in Los Angeles, every 5 minutes for 7 days, and who is near whom; Zhao et al.",
        licence: "MIT",
        from: "https://raw.githubusercontent.com/lehaifeng/T-GCN/master/data/",
        files: &[
            content(
                "los_speed.csv",
                3_402_125,
                "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
            ),
            content(
                "los_adj.csv",
                111_686,
                "7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76",
            ),
        ],
    },
    DataSet {
        name: "shakespeare",
        folder: "shakespeare",
        about: "tiny Shakespeare, 1 115 394 characters of plays; Karpathy",
        licence: "public domain",
        from: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
        files: &[content(
            "input.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        )],
    },
];
