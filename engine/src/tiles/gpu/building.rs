//! All that takes device memory: made at first, for another budget, and on another device.

use super::VirtualTexture;
use super::bindings::Bindings;
use super::finisher::DeviceFinisher;
use super::shares::{LEAST_SLOTS, Shares, UPDATES, UPLOADS};
use crate::cpu::CpuExecutor;
use crate::error::DeviceError;
use crate::gpu::buffers::Workspace;
use crate::gpu::ring::UploadRing;
use crate::tiles::Tiles;
use crate::tiles::finish::Finisher;
use std::sync::Arc;

/// All that takes device memory.
pub(super) struct Resources {
    pub(super) shares: Shares,
    pub(super) bindings: Bindings,
    pub(super) uploads: UploadRing,
    pub(super) updates: UploadRing,
    pub(super) workspace: Option<Workspace>,
}

/// Another atlas.
pub(super) enum Change {
    /// It was asked for.
    Wanted,
    /// Pages are being made for it. Until the first of them are there, and for no longer than a number of frames, the one
    /// before is drawn from.
    Ordered(Shares, UploadRing, u32),
}

/// Frames that wait for pages of another atlas.
const PATIENCE: u32 = 240;

impl VirtualTexture {
    /// Sees to it that there is an atlas, of the budget that was asked for last.
    pub(super) fn change(&mut self, tiles: &mut Tiles) -> Result<(), DeviceError> {
        let bytes = self.options.device_bytes;
        match self.change.take() {
            None if self.resources.is_none() => self.build(tiles),
            None => Ok(()),
            Some(Change::Wanted) => {
                let shares = self.shares(bytes, u32::MAX).ok_or_else(|| self.too_little(bytes))?;
                let uploads = self.uploads(&shares);
                self.order(tiles, &shares, &uploads);
                self.change = Some(Change::Ordered(shares, uploads, PATIENCE));
                Ok(())
            }
            Some(Change::Ordered(shares, uploads, patience)) => {
                if self.resources.is_some() && patience > 0 && tiles.awaits_pages() {
                    self.change = Some(Change::Ordered(shares, uploads, patience - 1));
                    return Ok(());
                }
                self.resources = None;
                self.update_all = true;
                self.bytes.set_limit(bytes);
                match self.resources(shares, uploads.clone()) {
                    Ok(Some(resources)) => self.resources = Some(resources),
                    // Uploads for the one before are still being filled.
                    Ok(None) => self.change = Some(Change::Ordered(shares, uploads, 0)),
                    // With fewer slots.
                    Err(_) => self.build(tiles)?,
                }
                Ok(())
            }
        }
    }

    /// Lets go of the atlas and all that goes through its buffers.
    pub(super) fn give_up(&mut self) {
        self.resources = None;
        self.change = None;
        self.waiting.clear();
        self.update_all = true;
    }

    /// Makes all that takes device memory, and begins anew. Where the device gives less than the budget allows, the atlas has
    /// fewer slots. If what was given up before is still in use, there is nothing yet.
    pub(super) fn build(&mut self, tiles: &mut Tiles) -> Result<(), DeviceError> {
        let bytes = self.options.device_bytes;
        let mut slots = u32::MAX;
        loop {
            let shares = self.shares(bytes, slots).ok_or_else(|| self.too_little(bytes))?;
            let uploads = self.uploads(&shares);
            match self.resources(shares, uploads.clone()) {
                Ok(Some(resources)) => {
                    self.order(tiles, &shares, &uploads);
                    self.update_all = true;
                    self.resources = Some(resources);
                    return Ok(());
                }
                Ok(None) => {
                    // Buffers of before may lie among the pages that are made.
                    tiles.start_over(0, tiles.host_finisher());
                    return Ok(());
                }
                Err(error) => {
                    slots = shares.grid.slots() / 2;
                    if slots < LEAST_SLOTS {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Pages are made for another atlas from now on.
    fn order(&mut self, tiles: &mut Tiles, shares: &Shares, uploads: &UploadRing) {
        let runner = tiles.decoder().runner().clone();
        let finisher: Arc<dyn Finisher> = Arc::new(DeviceFinisher {
            context: self.context.clone(),
            ring: uploads.clone(),
            bounds: shares.bounds,
            format: self.format,
            computes: self.executor.is_some(),
            executor: CpuExecutor::new(runner.clone()),
            runner,
        });
        self.waiting.clear();
        self.recordings.reset(shares.grid.slots());
        tiles.start_over(shares.grid.slots(), finisher);
    }

    fn uploads(&self, shares: &Shares) -> UploadRing {
        UploadRing::new(&self.context, shares.bounds.upload, UPLOADS, &self.bytes, None)
    }

    /// `None` if there are not as many bytes left.
    fn resources(&self, shares: Shares, uploads: UploadRing) -> Result<Option<Resources>, DeviceError> {
        let Self { context, bytes, .. } = self;
        let workspace = match &self.executor {
            Some(_) => match Workspace::new(context, shares.bounds, bytes)? {
                Some(workspace) => Some(workspace),
                None => return Ok(None),
            },
            None => None,
        };
        let made =
            Bindings::new(context, &self.group_layout, &shares, self.format, self.options.srgb, bytes)?;
        let Some(bindings) = made else { return Ok(None) };
        let updates = UploadRing::new(context, shares.update_bytes(), UPDATES, bytes, None);
        updates.fill_up()?;
        uploads.fill_up()?;
        Ok(Some(Resources { shares, bindings, uploads, updates, workspace }))
    }
}
