//! The 8×8 handwritten digits that ship with Plumb.
//!
//! 1797 images of the UCI set “Optical Recognition of Handwritten Digits” (Alpaydin and Kaynak, 1998), in the
//! form in which scikit-learn distributes them; origin and licence are in `assets/digits/NOTICE`.

use std::io::Read as _;

use crate::VisionError;
use crate::images::ImageSet;

/// The table as it ships: 64 pixels in 0..=16 and the digit, one image per line.
pub const CSV_GZ: &[u8] = include_bytes!("../../../assets/digits/digits.csv.gz");

/// Images for training; the other 797 are held out.
pub const TRAIN: usize = 1000;

/// Images in all.
pub const COUNT: usize = 1797;

/// The split is the same for everybody, whatever the seed of a run.
const SPLIT_SEED: u64 = 0;

/// Unpacked, the table has 0.3 MB. More than this means that it is not the table.
const LARGEST: u64 = 4 << 20;

/// The digits, split 1000 / 797.
pub fn load() -> Result<ImageSet, VisionError> {
    let mut set = read(CSV_GZ)?;
    if set.len() != COUNT {
        return Err(broken(&format!("{} images instead of {COUNT}", set.len())));
    }
    set.split(TRAIN, SPLIT_SEED);
    Ok(set)
}

fn broken(what: &str) -> VisionError {
    VisionError::Data { place: "embedded digits".to_owned(), what: format!("{what}; this build is damaged") }
}

fn read(packed: &[u8]) -> Result<ImageSet, VisionError> {
    let mut text = String::new();
    let unpacked = flate2::read::GzDecoder::new(packed).take(LARGEST).read_to_string(&mut text);
    unpacked.map_err(|error| broken(&error.to_string()))?;
    let mut images = Vec::with_capacity(COUNT * 64);
    let mut labels = Vec::with_capacity(COUNT);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|error| broken(&error.to_string()))?;
        let numbers: Vec<f32> = record.iter().map_while(|field| field.parse().ok()).collect();
        let [pixels @ .., digit] = numbers.as_slice() else { return Err(broken(&format!("row {row} is empty"))) };
        let whole = pixels.len() == 64 && pixels.iter().all(|pixel| (0.0..=16.0).contains(pixel));
        if !whole || !(0.0..10.0).contains(digit) {
            return Err(broken(&format!("row {row} is not 64 pixels in 0..=16 and a digit")));
        }
        images.extend(pixels.iter().map(|pixel| pixel / 16.0));
        labels.push(*digit as u32);
    }
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    Ok(ImageSet {
        name: "digits".to_owned(),
        shape: [1, 8, 8],
        classes,
        images,
        labels,
        train: Vec::new(),
        test: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_load_and_split_the_same_way_each_time() -> Result<(), VisionError> {
        let set = load()?;
        assert_eq!((set.len(), set.train.len(), set.test.len()), (1797, 1000, 797));
        let mut all: Vec<usize> = set.train.iter().chain(&set.test).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..1797).collect::<Vec<_>>(), "every image is in one part");
        assert_eq!(set, load()?);
        // The first image of the table is a zero, its third pixel 5 of 16.
        assert_eq!((set.labels[0], set.images[2]), (0, 5.0 / 16.0));
        Ok(())
    }

    #[test]
    fn a_damaged_table_is_told() {
        assert!(read(&CSV_GZ[..200]).is_err());
        assert!(read(b"no gzip").is_err());
    }
}
