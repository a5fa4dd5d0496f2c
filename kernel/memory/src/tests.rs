#[cfg(feature = "loom")]
mod loom;
mod remote;
mod slab;

use crate::classes::{CLASSES, LARGEST, LARGEST_ALIGN, class_of, size_of_class};
use crate::{Backing, Frame, Links, Magazine, PAGE, Pool, Region, RegionError, Regions};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

#[derive(Default)]
struct Table(BTreeMap<u64, Option<Frame>>);
impl Links for Table {
    fn set(&mut self, frame: Frame, next: Option<Frame>) {
        self.0.insert(frame.0, next);
    }
    fn get(&self, frame: Frame) -> Option<Frame> {
        *self.0.get(&frame.0).expect("only a frame that was put is read")
    }
}

#[test]
fn pool_gives_whole_frames_only() {
    let mut pool = Pool::new(Table::default());
    assert!(pool.add(100, 3 * PAGE as u64 + 5));
    assert_eq!(pool.available(), 2);
    assert_eq!(pool.take(), Some(Frame(1)));
    assert_eq!(pool.take(), Some(Frame(2)));
    assert_eq!(pool.take(), None);
}

#[test]
fn runs_come_from_fresh_memory() {
    let mut pool = Pool::new(Table::default());
    pool.add(0, 4 * PAGE as u64);
    pool.add(0x10_0000, 0x10_0000 + 8 * PAGE as u64);
    assert_eq!(pool.take_run(8), Some(Frame(0x100)));
    assert_eq!(pool.take_run(5), None);
    assert_eq!(pool.available(), 4);
}

#[test]
fn closed_magazine_gives_nothing_and_takes_nothing() {
    let mut magazine = Magazine::<4>::new();
    for item in 1..=3 {
        magazine.push(item).expect("an empty magazine has room");
    }
    let mut out = Vec::new();
    magazine.close(|item| out.push(item));
    assert_eq!(out, [1, 2, 3]);
    for _ in 0..6 {
        assert_eq!((magazine.pop(), magazine.push(9), magazine.len()), (None, Err(9), 0));
    }
    magazine.spill(|_| panic!("a closed magazine holds something"));
    magazine.close(|_| panic!("a closed magazine holds something"));
    magazine.open();
    assert_eq!((magazine.push(7), magazine.pop(), magazine.pop()), (Ok(()), Some(7), None));
}

proptest! {
    #[test]
    fn no_frame_is_in_two_places(ops in prop::collection::vec(any::<bool>(), 1..400)) {
        let mut pool = Pool::new(Table::default());
        pool.add(0, 64 * PAGE as u64);
        let mut magazine = Magazine::<8>::new();
        let mut held = Vec::new();
        for take in ops {
            if take {
                let frame = magazine.pop().or_else(|| {
                    for _ in 0..Magazine::<8>::BATCH {
                        if let Some(f) = pool.take() { magazine.push(f.0).expect("an empty magazine takes a batch"); }
                    }
                    magazine.pop()
                });
                if let Some(f) = frame { held.push(f); }
            } else if let Some(f) = held.pop()
                && let Err(f) = magazine.push(f)
            {
                magazine.spill(|f| pool.put(Frame(f)));
                magazine.push(f).expect("a spilled magazine has room");
            }
            let distinct: BTreeSet<_> = held.iter().collect();
            prop_assert_eq!(distinct.len(), held.len());
            prop_assert_eq!(held.len() as u64 + magazine.len() as u64 + pool.available(), 64);
        }
    }

    #[test]
    fn class_fits_its_layout(size in 0usize..3000, shift in 0u32..12) {
        let align = 1usize << shift;
        match class_of(size, align) {
            Some(class) => {
                let alignment = 1 << size_of_class(class).trailing_zeros();
                prop_assert!(size_of_class(class) >= size && alignment >= align);
                prop_assert!(class == 0 || size_of_class(class - 1) < size.max(align));
            }
            None => prop_assert!(size > LARGEST || align > LARGEST_ALIGN && size.max(align) > size_of_class(CLASSES - 2)),
        }
    }

    #[test]
    fn regions_never_overlap(ops in prop::collection::vec((0u64..40, 1u64..8, any::<bool>()), 1..120)) {
        let page = PAGE as u64;
        let mut regions = Regions::new();
        for (start, pages, placed) in ops {
            let range = start * page..(start + pages) * page;
            if placed {
                let _ = regions.place(0..64 * page, pages * page, Backing::Anonymous);
            } else if regions.remove(range.clone()).is_err() {
                let _ = regions.insert(Region { range, backing: Backing::Anonymous });
            }
            let list: Vec<_> = regions.iter().cloned().collect();
            for pair in list.windows(2) {
                prop_assert!(pair[0].range.end <= pair[1].range.start);
            }
            for region in &list {
                prop_assert_eq!(regions.find(region.range.start), Some(region));
                prop_assert_eq!(regions.find(region.range.end - 1), Some(region));
            }
        }
    }
}

#[test]
fn stacks_have_guard_holes() {
    let page = PAGE as u64;
    let region =
        Region { range: 0..8 * page, backing: Backing::Stacks { stride: 2 * page, size: page } };
    assert!(!region.backs(0));
    assert!(region.backs(page));
    assert!(!region.backs(2 * page));
    let mut regions = Regions::new();
    let bad = Region { range: 0..8 * page, backing: Backing::Stacks { stride: page, size: page } };
    assert_eq!(regions.insert(bad), Err(RegionError::BadRange));
    assert_eq!(regions.insert(region), Ok(()));
    assert_eq!(regions.remove(0..page), Err(RegionError::Missing));
}
