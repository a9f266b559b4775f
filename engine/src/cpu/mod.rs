//! Runs plans on the CPU, with the shaders' twins.

mod executor;
mod sink;
mod strips;

pub use executor::CpuExecutor;
