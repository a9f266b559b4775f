//! What is told of a picture, for people.

use super::{BoxEntry, ComponentInfo, Info, MetadataInfo, RenderingInfo};
use std::fmt::{self, Write};

/// Components that are listed one by one.
const LISTED: usize = 8;

/// Several lines; control characters of the file's own texts are escaped.
pub(crate) fn to_text(info: &Info) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(info, &mut text);
    text
}

fn write_text(info: &Info, out: &mut String) -> fmt::Result {
    writeln!(out, "{}", info.target)?;
    let more = info.codestreams.filter(|&count| count > 1);
    let more = more.map_or(String::new(), |count| {
        format!(" with {count} codestreams (this is number {}, counted from 0)", info.codestream)
    });
    line(out, "format", format!("{}{more}", info.format))?;
    if let Some(label) = &info.label {
        line(out, "label", printable(label))?;
    }
    let size = format!("{} x {}", info.width, info.height);
    line(out, "size", size + &offset(info.offset))?;
    match &info.rendering {
        RenderingInfo::Picture { width, height, colour, alpha, depth, notes } => {
            let alpha = alpha.map_or(String::new(), |alpha| format!(" with {alpha} opacity"));
            line(out, "picture", format!("{width} x {height}, {colour}{alpha}, {depth} bits"))?;
            for note in notes {
                line(out, "", note)?;
            }
        }
        RenderingInfo::Unavailable { error } => line(out, "picture", error)?,
    }
    line(out, "components", info.components.len())?;
    for component in info.components.iter().take(LISTED) {
        line(out, "", component_line(component))?;
    }
    if info.components.len() > LISTED {
        line(out, "", format!("and {} more (see --json)", info.components.len() - LISTED))?;
    }
    let tiles = &info.tiles;
    if tiles.count == 1 {
        line(out, "tiles", "1")?;
    } else {
        let shape = format!("{} ({} x {})", tiles.count, tiles.across, tiles.down);
        let size = format!("{shape} of {} x {}", tiles.width, tiles.height);
        line(out, "tiles", size + &offset(tiles.offset))?;
    }
    line(out, "layers", info.layers)?;
    if let Some(first) = info.components.first() {
        let component_transform =
            info.component_transform.map_or(String::new(), |name| format!(" and {name}"));
        line(out, "levels", first.levels)?;
        line(out, "transform", format!("{}{component_transform}", first.transform))?;
        line(out, "code-blocks", code_blocks(first, info.high_throughput))?;
        if let Some(precincts) = &first.precincts {
            let sizes: Vec<String> = precincts.iter().map(|[w, h]| format!("{w}x{h}")).collect();
            line(out, "precincts", format!("{} (coarsest first)", sizes.join(" ")))?;
        }
    }
    let markers = match (info.sop, info.eph) {
        (true, true) => " with SOP and EPH",
        (true, false) => " with SOP",
        (false, true) => " with EPH",
        (false, false) => "",
    };
    line(out, "progression", format!("{}{markers}", info.progression))?;
    for (n, colour) in info.colour.iter().enumerate() {
        line(out, if n == 0 { "colour" } else { "" }, &colour.description)?;
    }
    if let Some(palette) = &info.palette {
        let columns = palette.column_depths.len();
        line(out, "palette", format!("{} entries of {columns} columns", palette.entries))?;
    }
    if let Some(resolution) = &info.resolution {
        for (name, found) in [("capture", resolution.capture), ("display", resolution.display)] {
            if let Some([x, y]) = found {
                line(out, name, format!("{x:.1} x {y:.1} points per metre"))?;
            }
        }
    }
    for (n, comment) in info.comments.iter().enumerate() {
        line(out, if n == 0 { "comments" } else { "" }, printable(comment))?;
    }
    if !info.metadata.is_empty() {
        line(out, "metadata", "")?;
        metadata(out, &info.metadata, 2)?;
    }
    if !info.boxes.is_empty() {
        line(out, "boxes", "")?;
        boxes(out, &info.boxes, 2)?;
    }
    for warning in &info.warnings {
        line(out, "warning", printable(warning))?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    let text = format!("  {name:<12} {value}");
    writeln!(out, "{}", text.trim_end())
}

fn offset([x, y]: [u32; 2]) -> String {
    if [x, y] == [0, 0] { String::new() } else { format!(" at {x},{y} on the reference grid") }
}

fn component_line(component: &ComponentInfo) -> String {
    let sign = if component.signed { "signed" } else { "unsigned" };
    let mut text = format!(
        "{}: {} x {}, {} bits {sign}",
        component.index, component.width, component.height, component.depth
    );
    if (component.dx, component.dy) != (1, 1) {
        text += &format!(", every {} x {} grid points", component.dx, component.dy);
    }
    if component.roi_shift > 0 {
        text += &format!(", region of interest shifted by {}", component.roi_shift);
    }
    text
}

fn code_blocks(component: &ComponentInfo, high_throughput: bool) -> String {
    let [width, height] = component.code_block;
    let mut text = format!("{width} x {height}");
    for style in &component.code_block_style {
        text += ", ";
        text += style;
    }
    if high_throughput && component.code_block_style.is_empty() {
        text += ", high-throughput in some tiles";
    }
    text
}

fn metadata(out: &mut String, entries: &[MetadataInfo], depth: usize) -> fmt::Result {
    for entry in entries {
        let (told, inside): (String, &[MetadataInfo]) = match entry {
            MetadataInfo::Xml(text) => (format!("XML: {}", shortened(text)), &[]),
            MetadataInfo::Uuid { id, bytes } => (format!("UUID {id}: {bytes} bytes"), &[]),
            MetadataInfo::Label(text) => (format!("label: {}", shortened(text)), &[]),
            MetadataInfo::About(entities) => (format!("about {}", entities.join(", ")), &[]),
            MetadataInfo::Association(inside) => ("association".to_owned(), inside),
            MetadataInfo::TooLong { r#type, offset, length } => {
                (format!("{}: {length} bytes at {offset}, not read", r#type), &[])
            }
        };
        writeln!(out, "{:indent$}{told}", "", indent = 2 * depth)?;
        metadata(out, inside, depth + 1)?;
    }
    Ok(())
}

/// The start of a text, in one line.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = line.chars().take(MOST).collect();
    let more = if start.len() < line.len() { " ..." } else { "" };
    printable(&start) + more
}

fn boxes(out: &mut String, entries: &[BoxEntry], depth: usize) -> fmt::Result {
    for entry in entries {
        writeln!(
            out,
            "{:indent$}{}  {} bytes at {}",
            "",
            entry.kind,
            entry.length,
            entry.offset,
            indent = 2 * depth
        )?;
        boxes(out, &entry.boxes, depth + 1)?;
    }
    Ok(())
}

/// Text from a file, with control characters escaped so that it cannot steer a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_file_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{e9}"), "a\\u{1b}[2Jb\\nc\u{e9}");
    }
}
