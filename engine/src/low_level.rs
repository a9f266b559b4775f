//! What the facade is made of, for those who go below it: servers that send packets, tools that look into codestreams, hosts
//! that run plans themselves. It changes more often than the rest.

/// Codestreams (T.800 Annexes A and B): headers, geometry, packets.
pub mod codestream {
    pub use crate::codestream::*;
}

/// Entropy decoding of code-blocks (T.800 Annexes C and D, T.814).
pub mod entropy {
    pub use crate::entropy::*;
}

/// What runs plans: the trait and its two implementations.
pub mod executor {
    pub use crate::cpu::*;
    pub use crate::executor::*;
    #[cfg(feature = "gpu")]
    pub use crate::gpu::executor::GpuExecutor;
    #[cfg(feature = "gpu")]
    pub use crate::gpu::pages::{Filled, PageBounds, PageSource, PageStatistics, PageTexels, PageUpload};
    #[cfg(feature = "gpu")]
    pub use crate::gpu::{
        buffers::Workspace,
        ring::{MappedBuffer, UploadRing, Wake},
    };
}

/// What a decode does, decided before anything is decoded; and which packets a window needs.
pub mod plan {
    pub use crate::plan::*;
}
