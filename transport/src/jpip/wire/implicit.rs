//! Implicit forms of cache-model statements (`t0c1r2p3`, T.808 C.8): precincts by tile, component, resolution and
//! position. What they stand for takes the picture to know.

use super::fields::{FieldError, NumberRange};
use std::fmt;

/// Precincts by where they lie. What is left out is not restricted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImplicitForm {
    /// Tiles (`t`), in raster order.
    pub tiles: Option<NumberRange>,
    /// Components (`c`).
    pub components: Option<NumberRange>,
    /// Resolutions (`r`), 0 the coarsest.
    pub resolutions: Option<NumberRange>,
    /// Precincts of a resolution (`p`), in raster order.
    pub positions: Option<NumberRange>,
}

impl ImplicitForm {
    /// Reads `t`, `c`, `r` and `p`, each at most once and with a number, a range or `*` after it.
    ///
    /// # Errors
    /// [`FieldError`] if it has another form.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let error = |reason| FieldError::new("model", text, reason);
        let (mut found, mut rest) = (Self::default(), text);
        while let Some(prefix) = rest.chars().next() {
            let slot = match prefix {
                't' => &mut found.tiles,
                'c' => &mut found.components,
                'r' => &mut found.resolutions,
                'p' => &mut found.positions,
                _ => return Err(error("not one of t, c, r and p")),
            };
            let after = &rest[1..];
            let end = after.find(['t', 'c', 'r', 'p']).unwrap_or(after.len());
            if slot.replace(NumberRange::parse("model", &after[..end])?).is_some() {
                return Err(error("named twice"));
            }
            rest = &after[end..];
        }
        Ok(found)
    }

    /// Whether it names every precinct, whatever the picture.
    #[must_use]
    pub fn is_everything(self) -> bool {
        let Self { tiles, components, resolutions, positions } = self;
        let parts = [tiles, components, resolutions, positions];
        parts.into_iter().flatten().all(|range| range == NumberRange::ALL)
    }
}

impl fmt::Display for ImplicitForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tiles, components, resolutions, positions } = self;
        for (prefix, range) in [('t', tiles), ('c', components), ('r', resolutions), ('p', positions)] {
            if let Some(range) = range {
                write!(f, "{prefix}{range}")?;
            }
        }
        Ok(())
    }
}
