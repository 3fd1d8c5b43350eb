//! The data sets that can be had: a new one is a row here.

/// A public data set.
pub(super) struct DataSet {
    pub(super) name: &'static str,
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

pub(super) const ALL: &[DataSet] = &[DataSet {
    name: "mnist",
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
}];
