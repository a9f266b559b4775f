//! Finds packets when they are asked for, and no more than that takes.

use super::walker::{Found, Walker};
use super::{IndexInput, PacketBytes, PacketIndex, Record};
use crate::error::{CodestreamError, Result};

/// The packets of one tile as far as somebody wanted to know. Every call gets the same input.
pub(crate) struct PacketFinder {
    walker: Walker,
    /// What was found, in pieces; each holds the packets that follow those of the piece before it.
    pieces: Vec<PacketIndex>,
    layers: u16,
}

/// Packets of a piece that is not joined with the next any more: what joining costs does not grow with the tile.
const LARGE_PIECE: usize = 1 << 17;

impl PacketFinder {
    pub(crate) fn new(input: &IndexInput<'_>) -> Self {
        Self { walker: Walker::new(input), pieces: Vec::new(), layers: input.tile.parameters.style.layers }
    }

    /// Walks on until the last packet of a precinct is found, or until there are no more packets.
    ///
    /// # Errors
    /// As for [`PacketIndex::build`], once the walk gets there.
    pub(crate) fn find(&mut self, input: &IndexInput<'_>, component: u32, precinct: u64) -> Result<()> {
        let wanted = (component, precinct);
        let mut missing = usize::from(self.layers).saturating_sub(self.count(component, precinct));
        while missing > 0 && !self.walker.has_ended() {
            let step = self.walker.step(input);
            let records = &self.walker.found.records;
            let is_wanted = |record: &Record| record.precinct == wanted;
            missing -= usize::from(matches!(step, Ok(Some(_))) && records.last().is_some_and(is_wanted));
            if missing == 0 || step.is_err() || self.walker.has_ended() || records.len() >= LARGE_PIECE {
                self.sort_in(input);
            }
            step?;
        }
        Ok(())
    }

    /// Moves what the walker found into the pieces. Small pieces are joined, so that they remain few.
    fn sort_in(&mut self, input: &IndexInput<'_>) {
        let Found { records, cut, .. } = &mut self.walker.found;
        if records.is_empty() {
            return;
        }
        let mut piece = PacketIndex::sort(std::mem::take(records), *cut, input);
        while let Some(before) = self.pieces.pop() {
            let (earlier, later) = (before.offsets.len(), piece.offsets.len());
            if earlier > 2 * later || earlier + later > LARGE_PIECE {
                self.pieces.push(before);
                break;
            }
            piece = before.join(&piece, input);
        }
        self.pieces.push(piece);
    }

    fn count(&self, component: u32, precinct: u64) -> usize {
        self.pieces.iter().map(|piece| piece.range(component, precinct).len()).sum()
    }

    /// The packets of a precinct, layer after layer, as far as they were found. `packed`: PPM or PPT, as in the
    /// input.
    pub(crate) fn packets<'a>(
        &'a self,
        packed: &'a [u8],
        component: u32,
        precinct: u64,
    ) -> impl Iterator<Item = PacketBytes<'a>> + 'a {
        let pieces = self.pieces.iter();
        pieces.flat_map(move |piece| {
            piece.range(component, precinct).map(move |at| piece.packet(at as usize, packed))
        })
    }

    /// How many of the packets of a precinct were found whole.
    pub(crate) fn whole_packets(&self, component: u32, precinct: u64) -> u16 {
        self.pieces.iter().map(|piece| piece.whole_packets(component, precinct)).sum()
    }

    /// Whether all packets of a precinct were found whole.
    pub(crate) fn is_complete(&self, component: u32, precinct: u64) -> bool {
        self.whole_packets(component, precinct) == self.layers
    }

    /// Why packets are missing, if it is not for want of bytes, as far as the walk went.
    pub(crate) fn damage(&self) -> Option<&CodestreamError> {
        self.walker.found.damage.as_ref()
    }

    /// Packets found so far.
    #[cfg(test)]
    pub(crate) fn found(&self) -> usize {
        self.pieces.iter().map(|piece| piece.offsets.len()).sum()
    }
}
