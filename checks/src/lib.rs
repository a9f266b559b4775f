//! What checks and benches share: a picture that is larger than any disk, and a client and a server on a virtual clock.

pub mod flight;
pub mod link;
pub mod measures;
pub mod mosaic_picture;
