//! How options are set: they may get more fields, so nobody lists them all.

/// Gives a struct of options a method for each of its fields, of the same name, that returns it with another value.
macro_rules! setters {
    ($options:ident { $($(#[$meta:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        /// Each returns the options with that field set.
        impl $options {
            $(
                $(#[$meta])*
                #[doc = concat!("Sets the field `", stringify!($field), "`.")]
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

pub(crate) use setters;
