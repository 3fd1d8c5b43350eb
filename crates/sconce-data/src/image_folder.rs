//! Images in folders that are named by their class.

#[cfg(test)]
mod tests;

use crate::{Dataset, Error, ImageConfig, Result, read_image};
use candle_core::{Device, Tensor};
use std::path::{Path, PathBuf};

/// What a file's name ends in, in either case, if it is taken for an image.
const ENDINGS: [&str; 3] = ["jpeg", "jpg", "png"];

/// A data set of images whose class is the folder they lie in, at any depth: `root/dog/a.png`, `root/cat/2020/b.jpg`.
///
/// Classes are the folders of the root in sorted order. Images come in the order of their class, folder and name; each is
/// read when it is asked for. Files of other kinds are passed over, links are followed. Images of different sizes make no
/// batch: give them one by [`transforms`](crate::transforms).
///
/// # Shapes
/// features `[channels, height, width]`, as [`ImageConfig`] has it; target a scalar, `u32`, the class's number
///
/// # Errors
/// `open`: a folder can't be read; there are no folders in the root, or one of them holds no image. `get`: those of
/// [`read_image`].
///
/// # Source
/// `torchvision.datasets.ImageFolder`
///
/// # Example
/// ```no_run
/// use sconce_data::{Dataset, ImageConfig, ImageFolder};
/// let set = ImageFolder::open("train", &ImageConfig::default())?;
/// assert_eq!(set.classes(), ["cat", "dog"]);
/// let (image, class) = set.get(0)?;
/// assert_eq!(class.to_scalar::<u32>()?, 0);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageFolder {
    cfg: ImageConfig,
    classes: Vec<String>,
    samples: Vec<(PathBuf, u32)>,
}

impl ImageFolder {
    /// Finds the images in a folder's folders; none is read yet.
    pub fn open(root: impl AsRef<Path>, cfg: &ImageConfig) -> Result<Self> {
        cfg.check()?;
        let root = root.as_ref();
        let folders: Vec<PathBuf> = sorted_entries(root)?
            .into_iter()
            .filter(|path| path.is_dir())
            .collect();
        if folders.is_empty() {
            let problem = "has no folders in it: expected one for each class";
            return Err(Error::file(&root.display().to_string(), problem));
        }
        let (mut classes, mut samples) = (Vec::new(), Vec::new());
        for (class, folder) in (0..).zip(folders) {
            let images = images_below(&folder)?;
            if images.is_empty() {
                let problem = format!("holds no image: expected files in .{}", ENDINGS.join(", ."));
                return Err(Error::file(&folder.display().to_string(), problem));
            }
            samples.extend(images.into_iter().map(|path| (path, class)));
            classes.push(text(folder.file_name().unwrap_or_default().as_ref()));
        }
        Ok(Self {
            cfg: cfg.clone(),
            classes,
            samples,
        })
    }

    /// The classes' names; their order is that of the class numbers.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Each image's file and class number.
    pub fn samples(&self) -> &[(PathBuf, u32)] {
        &self.samples
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn get(&self, index: usize) -> candle_core::Result<(Tensor, Tensor)> {
        let len = self.samples.len();
        let (path, class) = self.samples.get(index).ok_or(Error::Index { index, len })?;
        Ok((read_image(path, &self.cfg)?, Tensor::new(*class, &Device::Cpu)?))
    }
}

/// All images below a folder: by the text of their folder's path, then by name.
fn images_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    // Each with the folders it lies in, by their true paths: a link back to one of them would lead on forever.
    let mut open = vec![(folder.to_path_buf(), Vec::new())];
    while let Some((folder, mut above)) = open.pop() {
        let name = folder.display().to_string();
        let real = std::fs::canonicalize(&folder).map_err(|error| Error::file(&name, error.to_string()))?;
        if above.contains(&real) {
            continue;
        }
        above.push(real);
        for path in sorted_entries(&folder)? {
            if path.is_dir() {
                open.push((path, above.clone()));
            } else if is_image(&path) {
                found.push((text(&folder), path));
            }
        }
    }
    // Stable, so names stay in order within their folder.
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn is_image(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What is in a folder, sorted by name.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let error = |error: std::io::Error| Error::file(&folder.display().to_string(), error.to_string());
    let entries = std::fs::read_dir(folder).map_err(error)?;
    let paths = entries.map(|entry| Ok(entry.map_err(error)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    // As text: a path's own order would have a folder's parts compared one by one.
    paths.sort_by_key(|path| text(path));
    Ok(paths)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
