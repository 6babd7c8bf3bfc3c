//! PyTorch checkpoints: a zip archive with one pickle that describes tensors and one member per storage, or the
//! form from before version 1.6, in which pickles and storages follow each other.

mod walk;

use std::{collections::HashMap, sync::Arc};

use super::{
    Parsed,
    archive::Member,
    data::Bytes,
    error::Fault,
    pickle::{self, Node, Pickle, Value},
    source::Source,
};
use walk::{storage_size, tensors};

/// The first bytes of a checkpoint from before PyTorch 1.6: a pickled magic number.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The pickle holds names and shapes, no numbers: a few hundred bytes per tensor.
const MAX_PICKLE: u64 = 32 << 20;

pub(super) fn parse(source: &Source, members: &[Arc<Member>]) -> Result<Parsed, Fault> {
    let Some(main) = members.iter().find(|m| m.name == "data.pkl" || m.name.ends_with("/data.pkl")) else {
        return Err(Fault::broken("it has no readable data.pkl"));
    };
    let root = &main.name[..main.name.len() - "data.pkl".len()];
    if members.iter().any(|m| m.name.strip_prefix(root) == Some("constants.pkl")) {
        return Err(Fault::unsupported(
            "this is a TorchScript archive, a program rather than a state dict",
            "In PyTorch, load it with torch.jit.load and save its state_dict() with torch.save",
        ));
    }
    let order = members.iter().find(|m| m.name.strip_prefix(root) == Some("byteorder"));
    let big_endian = match order.map(|order| order.read(source, 64)).transpose()?.as_deref() {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(_) => return Err(Fault::broken("its byte order is neither \"little\" nor \"big\"")),
    };
    let (pickle, _) = pickle::run(&main.read(source, MAX_PICKLE)?)?;
    let storages = members
        .iter()
        .filter_map(|m| {
            Some((m.name.strip_prefix(root)?.strip_prefix("data/")?.to_owned(), Storage::Member(Arc::clone(m))))
        })
        .collect();
    tensors(&pickle, storages, big_endian)
}

/// The form before PyTorch 1.6: pickles of a magic number, of the format's version, of the machine, of the thing
/// saved and of the storages' keys, then each storage as its count (eight bytes) and its numbers. Counts and
/// numbers are little-endian whatever the machine was.
pub(super) fn parse_legacy(source: &Source) -> Result<Parsed, Fault> {
    let start = source.bytes(0, source.len().min(MAX_PICKLE), "its pickle", None)?;
    let mut at = 0;
    let mut next = || -> Result<Pickle, Fault> {
        let (pickle, taken) = pickle::run(&start[at..])?;
        at += taken;
        Ok(pickle)
    };
    next()?;
    if !matches!(next()?.root, Value::Int(1001)) {
        return Err(Fault::unsupported("its version of PyTorch's old form is not known", RESAVE));
    }
    next()?;
    let pickle = next()?;
    let keys = next()?;
    let mut at = at as u64;
    let sizes: HashMap<&str, u64> = pickle
        .nodes
        .iter()
        .filter_map(|node| {
            let Node::Persistent(id) = node else { return None };
            let [_, class, Value::Text(key), ..] = pickle.list(id)? else { return None };
            let class = pickle.global(class)?;
            // Without a type of their own, storages count bytes.
            let untyped = class.ends_with("UntypedStorage").then_some(1);
            Some((&**key, untyped.or_else(|| storage_size(class))?))
        })
        .collect();
    let mut storages = HashMap::new();
    for key in keys.list(&keys.root).unwrap_or_default() {
        let Value::Text(key) = key else { return Err(Fault::broken("the list of its storages is malformed")) };
        let mut count = [0; 8];
        source.read_exact_at(&mut count, at)?;
        at += 8;
        let Some(&size) = sizes.get(&**key) else {
            // Where the next one starts cannot be told: the tensors after this one are reported as missing.
            break;
        };
        let bytes = u64::from_le_bytes(count).checked_mul(size).filter(|bytes| *bytes <= source.len() - at);
        let bytes = bytes.ok_or_else(|| Fault::broken_at("a storage reaches past the end of the file", at - 8))?;
        storages.insert(key.to_string(), Storage::Plain { at, size: bytes });
        at += bytes;
    }
    tensors(&pickle, storages, false)
}

/// What to do with a file in a form that is not read.
pub(super) const RESAVE: &str = "Load it in a current PyTorch and save its state_dict() with torch.save";

/// Where the numbers of one or more tensors lie.
enum Storage {
    Member(Arc<Member>),
    Plain { at: u64, size: u64 },
}

impl Storage {
    fn size(&self) -> u64 {
        match self {
            Self::Member(member) => member.size,
            Self::Plain { size, .. } => *size,
        }
    }

    /// From byte `skip` on. A sum past the end is refused when it is read.
    fn bytes(&self, skip: u64) -> Bytes {
        match self {
            Self::Member(member) => Bytes::Member { member: Arc::clone(member), skip },
            Self::Plain { at, .. } => Bytes::Plain { at: at.saturating_add(skip) },
        }
    }
}
