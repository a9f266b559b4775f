//! The client as a state machine: what to ask for, what has come, and what is held.

mod answers;
mod boxes;
mod composing;
mod events;
mod holdings;
mod journal;
mod machine;
mod merging;
mod needed;
mod recall;
mod requests;
mod room;
mod verbs;
mod wishes;

pub use events::{ClientError, ClientOptions, Ending, Event, Outgoing, Progress, StreamKind};
pub use journal::{BinPiece, JournalEntry};
pub use machine::Client;
pub use merging::windows;
pub use recall::Recall;
pub use verbs::{Metadata, View};
