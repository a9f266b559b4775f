//! What a client does about the boxes of a file: metadata-bin 0, and those beside it.

use crate::jpip::wire::metareq::MetadataRequest;
use std::sync::{PoisonError, RwLock};
use wavetile_engine::data_bin::{DataBinCache, DataBinId};

/// What is wanted of the metadata.
#[derive(Clone, Debug)]
pub(super) struct Boxes {
    root: Root,
    /// Boxes that are wanted besides metadata-bin 0, and whether all that there are have come.
    wanted: Option<(MetadataRequest, bool)>,
}

/// What is done about metadata-bin 0 where a server does not send it of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    /// Nothing yet.
    Unnamed,
    /// Requests name the boxes that show the picture, until they are there.
    Named,
    /// The server has none, or does not know how to name them.
    GivenUp,
}

/// Which boxes a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Those that show the picture.
    Needed,
    /// Those that are wanted besides.
    Wanted(MetadataRequest),
}

impl Naming {
    pub(super) fn into_request(self) -> MetadataRequest {
        match self {
            Self::Needed => MetadataRequest::parse("[jp2h]").expect("a box type in brackets"),
            Self::Wanted(request) => request,
        }
    }
}

impl Boxes {
    pub(super) fn new(wanted: Option<MetadataRequest>) -> Self {
        Self { root: Root::Unnamed, wanted: wanted.map(|request| (request, false)) }
    }

    /// The same wishes for another picture.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.wanted.clone().map(|(request, _)| request))
    }

    /// Takes in a wish; whether it is a new one.
    pub(super) fn want(&mut self, request: MetadataRequest) -> bool {
        let new = self.wanted.as_ref().is_none_or(|(before, _)| *before != request);
        if new {
            self.wanted = Some((request, false));
        }
        new
    }

    /// What the next request names.
    pub(super) fn request(&self, bins: &RwLock<DataBinCache>) -> Option<Naming> {
        if self.root == Root::Named && !has_root(bins) {
            return Some(Naming::Needed);
        }
        self.wanted.clone().filter(|(_, come)| !come).map(|(request, _)| Naming::Wanted(request))
    }

    /// The wanted ones have come; whether they had not before.
    pub(super) fn have_come(&mut self) -> bool {
        self.wanted.as_mut().is_some_and(|(_, come)| !std::mem::replace(come, true))
    }

    pub(super) fn are_there(&self) -> bool {
        self.wanted.as_ref().is_some_and(|(_, come)| *come)
    }

    /// Whether the server is to be asked for boxes that it does not send of its own accord.
    pub(super) fn are_owed(&mut self, bins: &RwLock<DataBinCache>) -> bool {
        if has_root(bins) {
            return false;
        }
        match self.root {
            Root::Unnamed => self.root = Root::Named,
            Root::Named => self.give_up(bins),
            Root::GivenUp => (),
        }
        self.root == Root::Named
    }

    /// Takes what there is of metadata-bin 0, nothing most likely, for all of it.
    pub(super) fn give_up(&mut self, bins: &RwLock<DataBinCache>) {
        self.root = Root::GivenUp;
        let mut bins = bins.write().unwrap_or_else(PoisonError::into_inner);
        let held = bins.contiguous_len(0, DataBinId::Metadata(0));
        bins.insert(0, DataBinId::Metadata(0), held, &[], true);
    }
}

/// Whether all of metadata-bin 0 is there.
fn has_root(bins: &RwLock<DataBinCache>) -> bool {
    bins.read().unwrap_or_else(PoisonError::into_inner).is_complete(0, DataBinId::Metadata(0))
}
