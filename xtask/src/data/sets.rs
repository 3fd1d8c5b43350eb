//! The data sets that can be had: a new one is a row here.

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
    /// Of the content: of what a `.gz` decompresses to, since mirrors compress anew.
    pub(super) sha256: &'static str,
}

pub(super) const ALL: &[DataSet] = &[
    DataSet {
        name: "mnist",
        folder: "mnist",
        about: "60 000 + 10 000 handwritten digits of 28×28 pixels; LeCun, Cortes, Burges",
        licence: "CC BY-SA 3.0",
        from: "https://ossci-datasets.s3.amazonaws.com/mnist/",
        files: &[
            File {
                name: "train-images-idx3-ubyte.gz",
                bytes: 9_912_422,
                sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            },
            File {
                name: "train-labels-idx1-ubyte.gz",
                bytes: 28_881,
                sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            },
            File {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: 1_648_877,
                sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            },
            File {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: 4_542,
                sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            },
        ],
    },
    DataSet {
        name: "cora",
        folder: "planetoid",
        about: "2 708 papers of 7 subjects, their words and who cites whom, as Planetoid splits them; Yang, Cohen, Salakhutdinov",
        licence: "MIT",
        from: "https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/",
        files: &[
            File {
                name: "ind.cora.x",
                bytes: 22_119,
                sha256: "23cfa55d91c6f624233f5eb7b6e3f141f1bd2b2ae39608a63cf5d084bb27baab",
            },
            File {
                name: "ind.cora.tx",
                bytes: 148_025,
                sha256: "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a",
            },
            File {
                name: "ind.cora.allx",
                bytes: 257_305,
                sha256: "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543",
            },
            File {
                name: "ind.cora.y",
                bytes: 4054,
                sha256: "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1",
            },
            File {
                name: "ind.cora.ty",
                bytes: 28_135,
                sha256: "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad",
            },
            File {
                name: "ind.cora.ally",
                bytes: 47_959,
                sha256: "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71",
            },
            File {
                name: "ind.cora.graph",
                bytes: 59_847,
                sha256: "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d",
            },
            File {
                name: "ind.cora.test.index",
                bytes: 5000,
                sha256: "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875",
            },
        ],
    },
    DataSet {
        name: "los-loop",
        folder: "los-loop",
        about: "speeds at 207 loop detectors in Los Angeles, every 5 minutes for 7 days, and who is near whom; Zhao et al.",
        licence: "MIT",
        from: "https://raw.githubusercontent.com/lehaifeng/T-GCN/master/data/",
        files: &[
            File {
                name: "los_speed.csv",
                bytes: 3_402_125,
                sha256: "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
            },
            File {
                name: "los_adj.csv",
                bytes: 111_686,
                sha256: "7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76",
            },
        ],
    },
    DataSet {
        name: "shakespeare",
        folder: "shakespeare",
        about: "tiny Shakespeare, 1 115 394 characters of plays; Karpathy",
        licence: "public domain",
        from: "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
        files: &[File {
            name: "input.txt",
            bytes: 1_115_394,
            sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        }],
    },
];
