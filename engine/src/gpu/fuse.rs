//! Leaves the component transform to the packing shader where that gives the same texels: one dispatch less, and the
//! finished samples are neither written nor read.

use crate::plan::{Cell, PlaneWindow};
use wavetile_shaders::component_transform::ComponentTransformJob;
use wavetile_shaders::pack::{PackChannel, PackFinish};

/// How packing finishes the samples of each channel. `None` if the component transform has to run before: where tiles
/// of the cell differ in its parameters, or it does not work in place.
pub(super) fn finishes(cell: &Cell) -> Option<[PackFinish; 5]> {
    let mut finishes = [PackFinish::default(); 5];
    for (finish, channel) in finishes.iter_mut().zip(&cell.pack.channels) {
        if channel.plane != PackChannel::OPAQUE {
            let is_read = |plane: &&PlaneWindow| plane.offset == channel.plane && plane.row == channel.row;
            *finish = plane_finish(cell.planes.iter().find(is_read)?, &cell.transform)?;
        }
    }
    Some(finishes)
}

/// What all jobs on a plane do alike, if they cover it.
fn plane_finish(plane: &PlaneWindow, jobs: &[ComponentTransformJob]) -> Option<PackFinish> {
    let mut all = None;
    let mut covered = 0;
    for job in jobs {
        let count = job.count as usize;
        for slot in (0..count).filter(|&slot| is_inside(plane, job.target[slot])) {
            let in_place = |c: usize| {
                job.source[c] == job.target[c] && [job.source_row[c], job.target_row[c]] == [plane.row; 2]
            };
            if !(0..count).all(in_place) {
                return None;
            }
            let first = job.target[slot] - plane.offset;
            let mut planes = [0; 3];
            for (plane, target) in planes.iter_mut().zip(&job.target[..count]) {
                *plane = target.checked_sub(first)?;
            }
            let finish = PackFinish {
                planes,
                flags: job.flags | PackFinish::PENDING,
                slot: slot as u32,
                shift: job.shift[slot],
                low: job.low[slot],
                high: job.high[slot],
            };
            if *all.get_or_insert(finish) != finish {
                return None;
            }
            covered += u64::from(job.width) * u64::from(job.height);
        }
    }
    all.filter(|_| covered == plane.rect.area())
}

fn is_inside(plane: &PlaneWindow, word: u32) -> bool {
    let words = u64::from(plane.rect.height()) * u64::from(plane.row);
    let first = u64::from(plane.offset);
    (first..first + words).contains(&word.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;

    /// Three planes of 4 x 2 samples, made of a left and a right tile.
    fn cell(flags: u32) -> Cell {
        let plane = |component: u32| PlaneWindow {
            component,
            rect: Rect::new(0, 0, 4, 2),
            offset: 8 * component,
            row: 4,
        };
        let tile = |column: u32| {
            let first = [column, 8 + column, 16 + column, 0];
            ComponentTransformJob {
                source: first,
                source_row: [4; 4],
                target: first,
                target_row: [4; 4],
                shift: [128; 4],
                high: [255; 4],
                width: 2,
                height: 2,
                count: 3,
                flags,
                ..ComponentTransformJob::default()
            }
        };
        let mut cell = Cell {
            planes: (0..3).map(plane).collect(),
            transform: vec![tile(0), tile(2)],
            ..Cell::default()
        };
        cell.pack.channels[3].plane = PackChannel::OPAQUE;
        cell.pack.channels[4].plane = PackChannel::OPAQUE;
        for (channel, component) in cell.pack.channels[..3].iter_mut().zip(0..) {
            (channel.plane, channel.row) = (8 * component, 4);
        }
        cell
    }

    #[test]
    fn tiles_that_agree_are_finished_while_packing() {
        let flags = ComponentTransformJob::RCT;
        let expected = |slot| PackFinish {
            planes: [0, 8, 16],
            flags: flags | PackFinish::PENDING,
            slot,
            shift: 128,
            low: 0,
            high: 255,
        };
        let nothing = PackFinish::default();
        let wanted = [expected(0), expected(1), expected(2), nothing, nothing];
        assert_eq!(finishes(&cell(flags)), Some(wanted));
    }

    #[test]
    fn whatever_differs_keeps_the_component_transform() {
        let differing: [fn(&mut Cell); 6] = [
            |cell| cell.transform[1].flags = ComponentTransformJob::NONE,
            |cell| cell.transform[1].high[2] = 127,
            |cell| cell.transform[0].source[1] += 100,
            |cell| cell.transform[0].target_row[0] = 5,
            |cell| cell.transform.truncate(1),
            |cell| cell.pack.channels[1].row = 3,
        ];
        for differ in differing {
            let mut cell = cell(ComponentTransformJob::RCT);
            differ(&mut cell);
            assert_eq!(finishes(&cell), None, "{cell:?}");
        }
    }
}
