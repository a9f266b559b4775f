//! Codestream syntax and geometry (T.800 Annexes A and B).

pub mod code_block;
pub mod header;
pub mod marker;
pub mod packet;
pub mod packet_index;
pub mod precinct;
pub mod progression;
pub mod reader;
pub mod resolution;
pub mod sub_band;
pub mod tag_tree;
pub mod tile;
pub mod tile_component;
pub mod tile_part;
