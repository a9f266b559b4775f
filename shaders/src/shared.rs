//! Constants that Rust and the shaders share: written once, here read as Rust and there as WGSL.

/// Constants, and the same as WGSL in a constant `WGSL`. `usize` is `u32` there. With `prefix "A_";` in front, names begin
/// with that there: for texts that are pasted into others.
macro_rules! shared {
    (prefix $prefix:literal; $($(#[$attribute:meta])* $visible:vis const $name:ident: $kind:ident = $value:literal;)+) => {
        $($(#[$attribute])* #[allow(clippy::excessive_precision, reason = "as the standard prints it")]
        $visible const $name: $kind = $value;)+
        /// The constants above.
        pub(crate) const WGSL: &str = concat!($(
            "const ", $prefix, stringify!($name), ": ", $crate::shared::kind!($kind), " = ", $value, ";\n",
        )+);
    };
    ($($(#[$attribute:meta])* $visible:vis const $name:ident: $kind:ident = $value:literal;)+) => {
        $crate::shared::shared! { prefix ""; $($(#[$attribute])* $visible const $name: $kind = $value;)+ }
    };
}

/// The WGSL type for a type of Rust.
macro_rules! kind {
    (u32) => {
        "u32"
    };
    (usize) => {
        "u32"
    };
    (f32) => {
        "f32"
    };
}

pub(crate) use {kind, shared};

/// Texts one after another, in a constant.
macro_rules! join {
    ($($text:expr),+ $(,)?) => {{
        const TEXTS: &[&str] = &[$($text),+];
        const BYTES: [u8; $crate::shared::length(TEXTS)] = $crate::shared::joined(TEXTS);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("whole texts are joined"),
        }
    }};
}

pub(crate) use join;

pub(crate) const fn length(texts: &[&str]) -> usize {
    let (mut length, mut text) = (0, 0);
    while text < texts.len() {
        length += texts[text].len();
        text += 1;
    }
    length
}

pub(crate) const fn joined<const LENGTH: usize>(texts: &[&str]) -> [u8; LENGTH] {
    let (mut bytes, mut at, mut text) = ([0; LENGTH], 0, 0);
    while text < texts.len() {
        let from = texts[text].as_bytes();
        let mut byte = 0;
        while byte < from.len() {
            bytes[at] = from[byte];
            (at, byte) = (at + 1, byte + 1);
        }
        text += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    mod one {
        shared! {
            /// A flag.
            pub(super) const FLAG: u32 = 0x1_0000;
            pub(super) const INDEX: usize = 3;
            pub(super) const STEP: f32 = -1.5;
        }
    }

    mod two {
        shared! {
            prefix "TWO_";
            /// Named otherwise where names must not clash.
            pub(super) const FLAG: u32 = 7;
        }
    }

    #[test]
    fn constants_read_alike_in_both_languages() {
        assert_eq!((one::FLAG, one::INDEX, one::STEP), (65_536, 3, -1.5));
        let text = "const FLAG: u32 = 65536;\nconst INDEX: u32 = 3;\nconst STEP: f32 = -1.5;\n";
        assert_eq!(one::WGSL, text);
        assert_eq!((two::FLAG, two::WGSL), (7, "const TWO_FLAG: u32 = 7;\n"));
        const JOINED: &str = join!("a ", one::WGSL, "é");
        assert_eq!(JOINED, format!("a {text}é"));
    }
}
