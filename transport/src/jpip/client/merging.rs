//! From the wishes of tiles to few windows.

use std::collections::HashMap;
use wavetile_engine::tiles::{Priority, Wish};
use wavetile_engine::view_window::ViewWindow;
use wavetile_engine::{Image, Rect, Size};

/// The windows that bring what `wishes` need of `image`, for [`Client::set_wishes`](super::Client::set_wishes): all that is
/// visible before anything else. Within that, wishes of one resolution, quality and choice of components are together, where the first
/// of them stands, and those that make a rectangle together are one window. No window reaches beyond its wishes.
#[must_use]
pub fn windows(image: &Image, wishes: &[Wish]) -> Vec<ViewWindow> {
    let mut groups: Vec<(Priority, ViewWindow, Vec<Part>)> = Vec::new();
    let mut known: HashMap<Kind, usize> = HashMap::new();
    for (order, wish) in wishes.iter().enumerate() {
        let request = &wish.request;
        if request.region.is_some_and(|region| region.intersect(image.area()).is_empty()) {
            continue;
        }
        // What cannot be drawn can be decoded as components.
        let window = image.rendered_window(request).unwrap_or_else(|_| image.component_window(request));
        let part = Part { order, rect: rect(&window) };
        let kind = (wish.priority, window.frame_size, window.layers, window.components.clone());
        let group = *known.entry(kind).or_insert_with(|| {
            groups.push((wish.priority, window, Vec::new()));
            groups.len() - 1
        });
        groups[group].2.push(part);
    }
    groups.sort_by_key(|(priority, ..)| *priority);
    let windows = groups.into_iter().flat_map(|(_, window, parts)| {
        joined(parts).into_iter().map(move |Part { rect, .. }| ViewWindow {
            offset: (rect.x0, rect.y0),
            region: rect.size(),
            ..window.clone()
        })
    });
    windows.collect()
}

/// What wishes have in common that may be one window: the frame names the resolution, and then layers and components.
type Kind = (Priority, Size, Option<u16>, Option<Vec<u32>>);

/// A part of a frame, and the first wish that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    order: usize,
    rect: Rect,
}

fn rect(window: &ViewWindow) -> Rect {
    let (x, y) = window.offset;
    Rect {
        x0: x,
        y0: y,
        x1: x.saturating_add(window.region.width),
        y1: y.saturating_add(window.region.height),
    }
}

/// The same samples in fewer rectangles: those of one height that touch in a row, and then those of one width in a column.
fn joined(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_unstable_by_key(|Part { rect, .. }| (rect.y0, rect.y1, rect.x0));
    parts.dedup_by(|next, row| {
        let together =
            (next.rect.y0, next.rect.y1) == (row.rect.y0, row.rect.y1) && next.rect.x0 <= row.rect.x1;
        if together {
            row.rect.x1 = row.rect.x1.max(next.rect.x1);
            row.order = row.order.min(next.order);
        }
        together
    });
    parts.sort_unstable_by_key(|Part { rect, .. }| (rect.x0, rect.x1, rect.y0));
    parts.dedup_by(|next, column| {
        let together = (next.rect.x0, next.rect.x1) == (column.rect.x0, column.rect.x1)
            && next.rect.y0 <= column.rect.y1;
        if together {
            column.rect.y1 = column.rect.y1.max(next.rect.y1);
            column.order = column.order.min(next.order);
        }
        together
    });
    parts.sort_unstable_by_key(|part| part.order);
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::jpip::testing::Synthetic;
    use proptest::prelude::*;
    use std::sync::{Arc, RwLock};
    use wavetile_engine::data_bin::DataBinId;
    use wavetile_engine::{DataBinCache, DecodeRequest, ImageOptions};

    fn image() -> Image {
        let mut cache = DataBinCache::new();
        for (id, bytes) in Synthetic::sized(1000, 800, 256).bins() {
            if !matches!(id, DataBinId::Precinct(_)) {
                cache.insert(0, id, 0, &bytes, true);
            }
        }
        ImageOptions::new().open_stream(Arc::new(RwLock::new(cache))).unwrap().image().unwrap()
    }

    fn wish(rect: [u32; 4], reduce: u32, priority: Priority) -> Wish {
        let [x0, y0, x1, y1] = rect;
        Wish { request: DecodeRequest::new().region(Rect { x0, y0, x1, y1 }).reduce(reduce), priority }
    }

    #[test]
    fn what_is_visible_comes_first_and_pages_become_rectangles() {
        let page = |x: u32, y: u32| [256 * x, 256 * y, 256 * (x + 1), 256 * (y + 1)];
        let wishes = [
            wish([0, 0, 1000, 800], 3, Priority::Visible),
            wish(page(3, 0), 0, Priority::Prefetch),
            wish(page(1, 1), 0, Priority::Visible),
            wish([0, 0, 512, 512], 1, Priority::Visible),
            wish(page(2, 1), 0, Priority::Visible),
            wish(page(1, 2), 0, Priority::Visible),
            wish(page(2, 2), 0, Priority::Visible),
            wish(page(0, 0), 0, Priority::Visible),
            wish([5000, 0, 6000, 10], 0, Priority::Visible),
        ];
        let windows = windows(&image(), &wishes);
        let plain: Vec<_> = windows.iter().map(|window| (window.frame_size.width, rect(window))).collect();
        assert_eq!(
            plain,
            [
                (125, Rect::new(0, 0, 125, 100)),
                (1000, Rect::new(256, 256, 768, 768)),
                (1000, Rect::new(0, 0, 256, 256)),
                (500, Rect::new(0, 0, 256, 256)),
                (1000, Rect::new(768, 0, 1000, 256)),
            ]
        );
        assert!(super::windows(&image(), &[]).is_empty());
    }

    proptest! {
        #[test]
        fn joining_changes_no_sample(rects in prop::collection::vec((0u32..12, 0u32..12, 1u32..6, 1u32..6), 0..20)) {
            let parts: Vec<Part> = (0..)
                .zip(&rects)
                .map(|(order, &(x0, y0, w, h))| Part { order, rect: Rect::new(x0, y0, x0 + w, y0 + h) })
                .collect();
            let samples = |parts: &[Part]| {
                let mut found = [[false; 18]; 18];
                for Part { rect, .. } in parts {
                    for y in rect.y0..rect.y1 {
                        found[y as usize][rect.x0 as usize..rect.x1 as usize].fill(true);
                    }
                }
                found
            };
            let joined = joined(parts.clone());
            prop_assert_eq!(samples(&joined), samples(&parts));
            prop_assert!(joined.len() <= parts.len());
            prop_assert!(joined.is_sorted_by_key(|part| part.order));
        }
    }
}
