//! The packets of one precinct, by code-block.

use crate::codestream::precinct::{Contribution, Precinct};
use crate::error::{CodestreamError, Error, Result};

/// The packets of one precinct as far as its data-bin was read, which can be read on.
pub(crate) struct Packets {
    pub(super) precinct: Precinct,
    /// The packet header that makes no sense, once it was met: the packets before it stay.
    pub(super) damage: Option<CodestreamError>,
    by_block: ByBlock,
    /// How much of the bin was read, and whether that was all of it.
    pub(super) read: Option<(u64, bool)>,
}

/// Indices of a precinct's contributions, grouped by block.
#[derive(Default)]
pub(super) struct ByBlock {
    /// Those of block `b` are `order[starts[b]..starts[b + 1]]`, by layer.
    order: Vec<u32>,
    starts: Vec<u32>,
}

impl Packets {
    /// Before the first packet. `memory` is used again.
    pub(super) const fn new(precinct: Precinct, memory: ByBlock) -> Self {
        Self { precinct, damage: None, by_block: memory, read: None }
    }

    /// Gives up the memory that [`Self::new`] takes.
    pub(super) fn into_memory(self) -> ByBlock {
        self.by_block
    }

    /// Bytes of the bin that were read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read.map_or(0, |(bytes, _)| bytes)
    }

    /// Reads on, if there is more than before. `bin` is the beginning of the bin, not shorter than before.
    ///
    /// # Errors
    /// A limit. A broken packet header is kept instead ([`Self::damage`](field@Self::damage)).
    pub(super) fn read(&mut self, bin: &[u8], complete: bool) -> Result<()> {
        let now = Some((bin.len() as u64, complete));
        if self.read == now {
            return Ok(());
        }
        let before = self.precinct.contributions().len();
        if self.damage.is_none() {
            match self.precinct.read(bin, complete) {
                Err(Error::Codestream(damage @ CodestreamError::BadPacket { .. })) => {
                    self.damage = Some(damage);
                }
                outcome => outcome?,
            }
        }
        if self.read.is_none() || self.precinct.contributions().len() > before {
            self.by_block.group(&self.precinct);
        }
        self.read = now;
        Ok(())
    }

    /// The contributions to a block of the first `layers` layers, in order.
    pub(super) fn of_block(
        &self,
        block: u32,
        layers: u16,
    ) -> impl DoubleEndedIterator<Item = &Contribution> + Clone {
        let contributions = self.precinct.contributions();
        let indices = self.by_block.of(block);
        let wanted = indices.partition_point(|&index| contributions[index as usize].layer < layers);
        indices[..wanted].iter().map(move |&index| &contributions[index as usize])
    }

    /// Bytes that it takes, roughly.
    pub(crate) fn held_bytes(&self) -> u64 {
        let ByBlock { order, starts } = &self.by_block;
        let lists = (order.capacity() + starts.capacity()) * size_of::<u32>();
        self.precinct.held_bytes() + (lists + size_of::<Self>()) as u64
    }
}

impl ByBlock {
    fn of(&self, block: u32) -> &[u32] {
        let block = block as usize;
        match (self.starts.get(block), self.starts.get(block + 1)) {
            (Some(&start), Some(&end)) => &self.order[start as usize..end as usize],
            _ => &[],
        }
    }

    fn group(&mut self, precinct: &Precinct) {
        let blocks = precinct.block_count() as usize;
        // One place more than there are ends: each block's start moves up to its end while the places are given out.
        self.starts.clear();
        self.starts.resize(blocks + 2, 0);
        for contribution in precinct.contributions() {
            self.starts[contribution.block as usize + 2] += 1;
        }
        for block in 2..blocks + 2 {
            self.starts[block] += self.starts[block - 1];
        }
        self.order.clear();
        self.order.resize(precinct.contributions().len(), 0);
        for (contribution, index) in precinct.contributions().iter().zip(0..) {
            let next = &mut self.starts[contribution.block as usize + 1];
            self.order[*next as usize] = index;
            *next += 1;
        }
        self.starts.truncate(blocks + 1);
    }
}
