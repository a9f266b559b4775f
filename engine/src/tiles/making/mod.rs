//! From data that has arrived to coefficients of pages, doing nothing twice: blocks that were decoded are kept, blocks of
//! which more has come are decoded on, and of a page only the part that changes is made again.

mod block_cache;
mod decoding;
mod lru;
mod maker;
mod parts;
mod planning;
mod prepared;
#[cfg(test)]
mod tests;

pub(crate) use block_cache::BlockCache;
pub(crate) use maker::PageMaker;
pub(crate) use parts::PageParts;
pub(crate) use prepared::{PageRequest, PreparedPage};
