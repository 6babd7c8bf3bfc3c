//! The two large maps of a state, written so that they are read back in one go: a B-tree built from a sorted list is
//! several times quicker than one filled entry by entry.

/// Cases, which know their names.
pub mod cases {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::model::CaseId;
    use crate::state::CaseState;

    pub fn serialize<S: Serializer>(cases: &BTreeMap<CaseId, CaseState>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(cases.values())
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<BTreeMap<CaseId, CaseState>, D::Error> {
        let cases = Vec::<CaseState>::deserialize(from)?;
        Ok(cases.into_iter().map(|case| (case.case.id.clone(), case)).collect())
    }
}

/// Marks of commands: 32 bytes each.
pub mod marks {
    use std::collections::BTreeMap;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(marks: &BTreeMap<u128, u128>, to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> =
            marks.iter().flat_map(|(key, mark)| [key.to_le_bytes(), mark.to_le_bytes()]).flatten().collect();
        to.serialize_bytes(&bytes)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<BTreeMap<u128, u128>, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        let (pairs, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(D::Error::custom("a mark is cut off"));
        }
        let number = |half: &[u8]| half.iter().rev().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        Ok(pairs.iter().map(|pair| (number(&pair[..16]), number(&pair[16..]))).collect())
    }
}
