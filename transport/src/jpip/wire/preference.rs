//! Preferences of a client (`pref`, T.808 C.10.2): how it would like to be served, and what it insists on.
//!
//! What the names of preferences mean is second hand.

/// One set of related preferences, as it was written: `fullwindow`, `codeseq:sequential/r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    text: String,
}

impl Preference {
    /// Reads the decoded value of `pref`: any words, separated by commas.
    pub(super) fn parse_all(value: &str) -> Vec<Self> {
        let texts = value.split(',').map(str::trim).filter(|text| !text.is_empty());
        texts.map(|text| Self { text: text.to_owned() }).collect()
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the server is to refuse the request rather than not to meet it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.text.ends_with("/r")
    }

    /// Whether responses are that way anyhow: all of a window is served, better and better; codestreams come one after
    /// another; and nothing is sent but what the window needs.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let text = self.text.strip_suffix("/r").unwrap_or(&self.text);
        matches!(text, "fullwindow" | "progressive" | "codeseq:sequential" | "concise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_insisted_on_and_not_met_is_told_apart() {
        let all = Preference::parse_all("fullwindow/r, color-enum:1/r,mbw:5M,,concise");
        let told: Vec<_> = all.iter().map(|one| (one.text(), one.is_required(), one.is_met())).collect();
        assert_eq!(
            told,
            [
                ("fullwindow/r", true, true),
                ("color-enum:1/r", true, false),
                ("mbw:5M", false, false),
                ("concise", false, true)
            ]
        );
    }
}
