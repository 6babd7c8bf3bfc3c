//! Fashion-MNIST from a folder of IDX files (Xiao, Rasul and Vollgraf, 2017), when it is installed.
//!
//! Nothing in a file is trusted: sizes in its header are held against what was unpacked, and unpacking stops
//! at a limit.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::VisionError;
use crate::images::ImageSet;

/// Names of the ten classes, in the order of the labels.
pub const CLASSES: [&str; 10] =
    ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// The folder variable that the user may set.
pub const FOLDER_VARIABLE: &str = "PLUMB_FASHION_MNIST";

/// Where the Debian package `dataset-fashion-mnist` puts it.
const DEBIAN_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// Most bytes that are unpacked from one file; the largest real one has 47 MB.
const LARGEST: usize = 64 << 20;

/// The folder that holds the data on this machine, if one does.
pub fn installed() -> Option<PathBuf> {
    let asked = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
    asked.into_iter().chain([PathBuf::from(DEBIAN_FOLDER)]).find(|folder| path(folder, "train-images-idx3").is_file())
}

fn path(folder: &Path, stem: &str) -> PathBuf {
    folder.join(format!("{stem}-ubyte.gz"))
}

/// Load at most `train` and `test` images of the two parts, from their beginning.
pub fn load(folder: &Path, train: usize, test: usize) -> Result<ImageSet, VisionError> {
    let mut images = Vec::new();
    let mut labels = Vec::new();
    let mut parts = Vec::new();
    for (stem, limit) in [("train", train), ("t10k", test)] {
        let image_path = path(folder, &format!("{stem}-images-idx3"));
        let label_path = path(folder, &format!("{stem}-labels-idx1"));
        let (counts, pixels) = read_file(&image_path, 3)?;
        let (label_counts, digits) = read_file(&label_path, 1)?;
        if counts[1..] != [28, 28] || counts[0] != label_counts[0] {
            let what =
                format!("{counts:?} pixels for {} labels; expected 28×28 images, one label each", label_counts[0]);
            return Err(data(&image_path, what));
        }
        if let Some(bad) = digits.iter().find(|&&label| label >= 10) {
            return Err(data(&label_path, format!("label {bad} is not below 10")));
        }
        let count = limit.min(counts[0]);
        let start = labels.len();
        images.extend(pixels[..count * 784].iter().map(|&pixel| f32::from(pixel) / 255.0));
        labels.extend(digits[..count].iter().map(|&label| u32::from(label)));
        parts.push((start..labels.len()).collect());
    }
    let (test, train) = (parts.pop().unwrap_or_default(), parts.pop().unwrap_or_default());
    let classes = CLASSES.map(str::to_owned).to_vec();
    Ok(ImageSet { name: "fashion".to_owned(), shape: [1, 28, 28], classes, images, labels, train, test })
}

fn data(path: &Path, what: impl Into<String>) -> VisionError {
    VisionError::Data { place: path.display().to_string(), what: what.into() }
}

fn read_file(path: &Path, axes: usize) -> Result<(Vec<usize>, Vec<u8>), VisionError> {
    let file = File::open(path).map_err(|error| {
        data(path, format!("cannot be opened ({error}); install dataset-fashion-mnist or set {FOLDER_VARIABLE}"))
    })?;
    let mut bytes = Vec::new();
    let unpacked = flate2::read::GzDecoder::new(file).take(LARGEST as u64 + 1).read_to_end(&mut bytes);
    unpacked.map_err(|error| data(path, format!("cannot be unpacked: {error}")))?;
    if bytes.len() > LARGEST {
        return Err(data(path, format!("unpacks to more than {} MB; this is not Fashion-MNIST", LARGEST >> 20)));
    }
    parse_idx(&bytes, axes).map_err(|what| data(path, what))
}

/// Sizes and values of an IDX file of unsigned bytes: `00 00 08 axes`, big-endian sizes, values.
fn parse_idx(bytes: &[u8], axes: usize) -> Result<(Vec<usize>, Vec<u8>), String> {
    let start = 4 + 4 * axes;
    let (Some(header), Some(values)) = (bytes.get(..start), bytes.get(start..)) else {
        return Err(format!("{} bytes are too few for a header", bytes.len()));
    };
    if header[..4] != [0, 0, 8, axes as u8] {
        return Err(format!("starts with {:02x?} instead of 00 00 08 {axes:02x}: no IDX file of bytes", &header[..4]));
    }
    let sizes: Vec<usize> = header[4..]
        .chunks_exact(4)
        .map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize)
        .collect();
    let product = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if product != Some(values.len()) || sizes.contains(&0) {
        return Err(format!("says {sizes:?} values, but holds {}", values.len()));
    }
    Ok((sizes, values.to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lying_headers_are_told() {
        let header =
            |sizes: [u32; 3]| [vec![0, 0, 8, 3], sizes.iter().flat_map(|s| s.to_be_bytes()).collect()].concat();
        let good = [header([2, 1, 3]), vec![1, 2, 3, 4, 5, 6]].concat();
        assert_eq!(parse_idx(&good, 3), Ok((vec![2, 1, 3], vec![1, 2, 3, 4, 5, 6])));
        assert!(parse_idx(&good[..20], 3).is_err(), "truncated");
        assert!(parse_idx(&header([u32::MAX, u32::MAX, u32::MAX]), 3).is_err(), "overflowing");
        assert!(parse_idx(&header([0, 28, 28]), 3).is_err(), "empty");
        assert!(parse_idx(&good, 1).is_err(), "other axes");
    }

    #[test]
    fn installed_files_load() -> Result<(), VisionError> {
        // Only where the data set is installed; the parser is tested above.
        let Some(folder) = installed() else { return Ok(()) };
        let set = load(&folder, 300, 100)?;
        assert_eq!((set.train.len(), set.test.len(), set.len()), (300, 100, 400));
        assert!(set.images.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        assert_eq!(set.labels[0], 9, "the first training image is an ankle boot");
        Ok(())
    }

    #[test]
    fn a_missing_folder_says_what_to_do() {
        let error = load(Path::new("nowhere"), 1, 1).expect_err("there is no such folder").to_string();
        assert!(error.contains("dataset-fashion-mnist"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64), axes in 1_usize..4) {
            let _ = parse_idx(&bytes, axes);
        }
    }
}
