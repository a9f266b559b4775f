//! Requests for metadata (`metareq`, T.808 C.5): which boxes of the file, besides metadata-bin 0, a client wants.

use super::fields::{FieldError, number};

/// What a client wants of the metadata: boxes by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataRequest {
    /// As it was written.
    text: String,
    clauses: Vec<Clause>,
}

/// `[jp2h;xml_]R0D2`: boxes of some types, from a metadata-bin on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    /// `None`: of any type (`*`).
    kinds: Option<Vec<[u8; 4]>>,
    /// Only what is in this metadata-bin or below ("R").
    root: u64,
    /// No deeper than so many boxes in boxes ("D").
    depth: u64,
}

impl MetadataRequest {
    /// Parses the decoded value of `metareq`.
    ///
    /// # Errors
    /// [`FieldError`] if it has not the form of T.808.
    pub fn parse(value: &str) -> Result<Self, FieldError> {
        let error = |reason| FieldError::new("metareq", value, reason);
        let mut clauses = Vec::new();
        // That only metadata is wanted changes nothing: without a window nothing but headers follows.
        let mut rest = value.strip_suffix("!!").unwrap_or(value);
        while !rest.is_empty() {
            let inner = rest.strip_prefix('[').ok_or_else(|| error("a bracket is expected"))?;
            let (boxes, after) = inner.split_once(']').ok_or_else(|| error("the bracket is not closed"))?;
            let (modifiers, after) = after.split_once(',').unwrap_or((after, ""));
            let mut clause = Clause { kinds: Some(Vec::new()), root: 0, depth: u64::MAX };
            for property in boxes.split([';', ',']) {
                // How much of a box, which of its contents and how soon: it always comes whole, and in order.
                let name = property.split([':', '/', '!']).next().unwrap_or_default();
                match (name, &mut clause.kinds) {
                    ("*", kinds) => *kinds = None,
                    (_, None) => (),
                    (_, Some(kinds)) => {
                        kinds.push(kind(name).ok_or_else(|| error("no box has such a type"))?)
                    }
                }
            }
            if !modifiers.is_empty() {
                let (root, depth) =
                    modifiers.split_once('D').map_or((modifiers, None), |(root, depth)| (root, Some(depth)));
                if let Some(depth) = depth {
                    clause.depth = number("metareq", depth)?;
                }
                if !root.is_empty() {
                    let root = root.strip_prefix('R').ok_or_else(|| error("after a bracket come R and D"))?;
                    clause.root = number("metareq", root)?;
                }
            }
            clauses.push(clause);
            rest = after;
        }
        Ok(Self { text: value.to_owned(), clauses })
    }

    /// All boxes.
    #[must_use]
    pub fn everything() -> Self {
        Self { text: "[*]".to_owned(), clauses: vec![Clause { kinds: None, root: 0, depth: u64::MAX }] }
    }

    /// Whether metadata-bin `bin`, the contents of a box of type `kind` in bin 0, is wanted.
    #[must_use]
    pub fn wants(&self, bin: u64, kind: [u8; 4]) -> bool {
        self.clauses.iter().any(|clause| {
            // A bin that is the root is wanted for what is in it.
            let of_kind =
                clause.root == bin || clause.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
            of_kind && (clause.root == bin || (clause.root == 0 && clause.depth > 0))
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A box type: four characters, `_` for a space, or eight hexadecimal digits.
fn kind(name: &str) -> Option<[u8; 4]> {
    let bytes = match name.len() {
        8 => u32::from_str_radix(name, 16).ok()?.to_be_bytes(),
        _ => <[u8; 4]>::try_from(name.as_bytes()).ok()?,
    };
    Some(bytes.map(|byte| if byte == b'_' { b' ' } else { byte }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn wants(text: &str, bin: u64, kind: &[u8; 4]) -> bool {
        MetadataRequest::parse(text).unwrap().wants(bin, *kind)
    }

    #[test]
    fn boxes_are_wanted_by_their_type() {
        assert_eq!(MetadataRequest::parse("[*]").unwrap(), MetadataRequest::everything());
        assert!(wants("[*]!!", 1, b"xml ") && wants("[*]", 9, b"uuid"));
        assert!(wants("[jp2h;xml_]", 1, b"xml ") && wants("[xml :100/wg!]", 1, b"xml "));
        assert!(!wants("[jp2h]", 1, b"xml ") && !wants("", 1, b"xml "));
        assert!(wants("[jp2h],[uuid]", 2, b"uuid") && wants("[75756964]", 2, b"uuid"));
        // Of what is in a bin, nothing outside of it.
        assert!(wants("[*]R2", 2, b"asoc") && !wants("[*]R2", 1, b"xml "));
        assert!(wants("[lbl_]R2", 2, b"asoc"));
        assert!(!wants("[*]D0", 1, b"xml ") && wants("[*]R0D1", 1, b"xml "));
    }

    #[test]
    fn other_forms_are_errors() {
        for wrong in [
            "*",
            "[",
            "[xml",
            "[toolong]",
            "[*]X1",
            "[*]Rx",
            "[*]R1Dx",
            "[*]]",
            "[*]R99999999999999999999999",
        ] {
            assert!(MetadataRequest::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "[\\[\\]*;,!RD0-9a-z_:/ ]{0,40}") {
            if let Ok(request) = MetadataRequest::parse(&text) {
                prop_assert_eq!(request.text(), text);
            }
        }
    }
}
