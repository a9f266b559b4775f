//! The client as a state machine: what to ask for, what has come, and what is held.

mod boxes;
mod events;
mod holdings;
mod journal;
mod machine;
mod requests;
mod verbs;

pub use events::{ClientError, ClientOptions, Ending, Event, Outgoing, Progress, StreamKind};
pub use journal::{BinPiece, JournalEntry};
pub use machine::Client;
pub use verbs::{Metadata, View};
