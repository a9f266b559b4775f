//! A picture file, cut into the data-bins that a JPIP server would send (T.808 Annex A).

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::IndexedCodestream;
use super::composition::Composition;
use super::fragments::Fragments;
use super::metadata_bins::{MetadataBin, MetadataBins};
use crate::boxes::Container;
use crate::byte_source::ByteSource;
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::{BinView, DataBinId, DataBins, PrecinctId};
use crate::error::{CodestreamError, ContainerError, Result};
use crate::limits::Limits;

/// A file of the JP2 family, or a bare codestream, that can be read by data-bins: by the decoder, or to
/// serve it. Nothing but box headers and the first main header is read before it is asked for.
pub struct IndexedFile {
    source: Arc<dyn ByteSource>,
    container: Container,
    metadata: MetadataBins,
    first: Arc<IndexedCodestream>,
    /// Those after the first, as far as they were asked for.
    others: Mutex<Vec<Option<Arc<IndexedCodestream>>>>,
    limits: Limits,
}

impl IndexedFile {
    /// Opens a file: reads its boxes and the main header, and waits for the source meanwhile.
    ///
    /// # Errors
    /// It is not a JPEG 2000 file, the header of its first codestream is broken or beyond the limits, or the
    /// source cannot be read.
    pub fn open(source: impl ByteSource + 'static, limits: &Limits) -> Result<Self> {
        let source: Arc<dyn ByteSource> = Arc::new(source);
        let container = Container::read(&*source)?;
        let metadata = MetadataBins::new(&*source, &container)?;
        let first = open_codestream(&source, &container, 0, limits)?;
        let first = first.ok_or(ContainerError::MissingBox { kind: "jp2c" })?;
        let others = Mutex::new(vec![None; container.codestreams.len() - 1]);
        Ok(Self { source, container, metadata, first, others, limits: limits.clone() })
    }

    /// Where its bytes come from.
    #[must_use]
    pub fn source(&self) -> &dyn ByteSource {
        &*self.source
    }

    /// The limits that it was opened with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The boxes around the codestreams.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Number of codestreams, at least 1.
    #[must_use]
    pub fn codestream_count(&self) -> u32 {
        u32::try_from(self.container.codestreams.len()).unwrap_or(u32::MAX)
    }

    /// A codestream; `None` if the file has fewer.
    ///
    /// # Errors
    /// Its main header is broken or beyond the limits, or the source cannot be read.
    pub fn codestream(&self, number: u32) -> Result<Option<Arc<IndexedCodestream>>> {
        self.with_codestream(number, |codestream| Ok(Some(codestream.clone())))
    }

    /// The boxes whose contents have a metadata-bin of their own: those of bins 1, 2 and so on.
    #[must_use]
    pub fn metadata_bins(&self) -> &[MetadataBin] {
        self.metadata.boxes()
    }

    /// The main header of the first codestream.
    #[must_use]
    pub fn header(&self) -> &MainHeader {
        self.first.header()
    }

    /// The geometry of a tile of the first codestream.
    ///
    /// # Errors
    /// See [`IndexedCodestream::tile`].
    pub fn tile(&self, tile: u32) -> Result<Arc<Tile>> {
        self.first.tile(tile)
    }

    /// Number of bytes that the file has of a data-bin of the first codestream or of the metadata; `None` if
    /// there is no such bin.
    ///
    /// # Errors
    /// See [`IndexedCodestream::bin_len`].
    pub fn bin_len(&self, id: DataBinId) -> Result<Option<u64>> {
        match id {
            DataBinId::Metadata(number) => Ok(self.metadata.bin(number).map(Composition::len)),
            _ => self.first.bin_len(id),
        }
    }

    /// Bytes `range` of a data-bin of the first codestream or of the metadata, cut to what there is.
    ///
    /// # Errors
    /// See [`IndexedCodestream::read_bin`].
    pub fn read_bin(&self, id: DataBinId, range: Range<u64>) -> Result<Vec<u8>> {
        match id {
            DataBinId::Metadata(number) => match self.metadata.bin(number) {
                Some(bin) => bin.read(&*self.source, range),
                None => Ok(Vec::new()),
            },
            _ => self.first.read_bin(id, range),
        }
    }

    /// Where the whole packets of a precinct of the first codestream end, counted in bytes from the start of
    /// its data-bin, layer after layer; fewer than there are layers if the file ends too early.
    ///
    /// # Errors
    /// See [`IndexedCodestream::packet_ends`].
    pub fn packet_ends(&self, id: PrecinctId) -> Result<Vec<u64>> {
        self.first.packet_ends(id)
    }

    fn with_codestream<T>(
        &self,
        number: u32,
        look: impl FnOnce(&Arc<IndexedCodestream>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let Some(other) = number.checked_sub(1) else { return look(&self.first) };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = others.get_mut(other as usize) else { return Ok(None) };
        let codestream = match slot {
            Some(codestream) => codestream.clone(),
            None => {
                let opened = open_codestream(&self.source, &self.container, number, &self.limits)?;
                let Some(opened) = opened else { return Ok(None) };
                slot.insert(opened).clone()
            }
        };
        drop(others);
        look(&codestream)
    }
}

impl DataBins for IndexedFile {
    fn bin(&self, codestream: u32, id: DataBinId) -> Result<Option<BinView<'_>>> {
        match id {
            DataBinId::Metadata(number) => {
                let Some(bin) = self.metadata.bin(number) else { return Ok(None) };
                Ok(Some(BinView { bytes: bin.view(&*self.source)?.into(), complete: true }))
            }
            _ if codestream == 0 => self.first.bin(id),
            _ => self.with_codestream(codestream, |other| Ok(other.bin(id)?.map(BinView::into_owned))),
        }
    }

    fn extent(&self, codestream: u32, id: DataBinId) -> Result<Option<(u64, bool)>> {
        match id {
            DataBinId::Metadata(_) => Ok(None),
            _ if codestream == 0 => self.first.extent(id),
            _ => self.with_codestream(codestream, |other| other.extent(id)),
        }
    }

    fn damage(&self, codestream: u32, tile: u32) -> Option<CodestreamError> {
        let codestream = self.codestream(codestream).ok()??;
        codestream.damage(tile)
    }
}

/// Codestream `number` of a file; `None` if it has fewer.
fn open_codestream(
    source: &Arc<dyn ByteSource>,
    container: &Container,
    number: u32,
    limits: &Limits,
) -> Result<Option<Arc<IndexedCodestream>>> {
    let Some(range) = container.codestreams.get(number as usize) else { return Ok(None) };
    let opened = match container.fragment_tables.get(&number) {
        None => IndexedCodestream::open(source.clone(), range.clone(), limits)?,
        Some(table) => {
            let ranges = table.ranges(source.len());
            let ranges = ranges.map_err(|feature| CodestreamError::Unsupported { feature })?;
            let fragments = Fragments::new(source.clone(), &ranges);
            let whole = 0..fragments.len();
            IndexedCodestream::open(Arc::new(fragments), whole, limits)?
        }
    };
    Ok(Some(Arc::new(opened)))
}
