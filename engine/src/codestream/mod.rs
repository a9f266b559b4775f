//! Codestream syntax and geometry (T.800 Annexes A and B).

pub mod code_block;
pub mod header;
