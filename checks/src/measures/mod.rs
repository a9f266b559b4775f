//! What tiles are measured by: counts that are the same in each run, and the steps whose times benches compare.

mod arrival;
mod blocks;
mod layer;
mod pan;
mod visit;

pub use arrival::Arrival;
pub use layer::{LayerCounts, LayerStep};
pub use pan::{PanCounts, pan};
pub use visit::{Leg, Visit, visit};
