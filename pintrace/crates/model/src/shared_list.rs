//! A list in chunks. Copies of the list share the chunks, and an edit copies only the chunk that it changes.

use std::cmp::Ordering;
use std::ops::Index;
use std::sync::Arc;

/// Most elements of a chunk.
const CHUNK: usize = 64;

/// A list in an order that the caller chooses. A copy costs one reference for each 64 elements.
#[derive(Clone, Debug)]
pub struct SharedList<T> {
    chunks: Vec<Chunk<T>>,
}

#[derive(Debug)]
struct Chunk<T> {
    /// Number of elements in this chunk and in all chunks before it.
    end: usize,
    /// Never empty.
    elements: Arc<Vec<T>>,
}

impl<T> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        Self {
            end: self.end,
            elements: Arc::clone(&self.elements),
        }
    }
}

impl<T> SharedList<T> {
    /// Returns the number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.end)
    }

    /// Returns true if the list has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns the element at a position, counted from 0.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&T> {
        let chunk = self.chunks.partition_point(|chunk| chunk.end <= position);
        let Chunk { end, elements } = self.chunks.get(chunk)?;
        elements.get(position + elements.len() - end)
    }

    /// Returns the first element.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.chunks.first()?.elements.first()
    }

    /// Returns the elements in order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.chunks.iter().flat_map(|chunk| chunk.elements.iter())
    }

    /// Returns the chunk that has or would have the element for which `order` returns `Equal`. `order` compares an
    /// element with the wanted element.
    fn chunk_of(&self, order: impl Fn(&T) -> Ordering) -> usize {
        self.chunks.partition_point(|chunk| {
            let last = chunk.elements.last();
            last.is_some_and(|last| order(last) == Ordering::Less)
        })
    }

    /// Moves the ends of a chunk and of all later chunks after an edit.
    fn count_from(&mut self, first: usize) {
        let before = first.checked_sub(1).and_then(|before| self.chunks.get(before));
        let mut end = before.map_or(0, |chunk| chunk.end);
        for chunk in self.chunks.iter_mut().skip(first) {
            end += chunk.elements.len();
            chunk.end = end;
        }
    }
}

impl<T: Clone> SharedList<T> {
    /// Inserts an element into a sorted list, or replaces the element for which `order` returns `Equal`. `order` compares
    /// an element of the list with the new element.
    pub(crate) fn put(&mut self, element: T, order: impl Fn(&T) -> Ordering) {
        let at = self.chunk_of(&order);
        if at == self.chunks.len() {
            return self.push(element);
        }
        let elements = unique(&mut self.chunks[at].elements);
        match elements.binary_search_by(order) {
            Ok(same) => elements[same] = element,
            Err(place) => {
                elements.insert(place, element);
                if elements.len() > CHUNK {
                    let rest = elements.split_off(CHUNK / 2);
                    self.chunks.insert(at + 1, Chunk::new(rest));
                }
                self.count_from(at);
            }
        }
    }

    /// Removes the element for which `order` returns `Equal`. Returns false if there is no such element.
    pub(crate) fn remove(&mut self, order: impl Fn(&T) -> Ordering) -> bool {
        let at = self.chunk_of(&order);
        let Some(chunk) = self.chunks.get_mut(at) else {
            return false;
        };
        let Ok(place) = chunk.elements.binary_search_by(order) else {
            return false;
        };
        unique(&mut chunk.elements).remove(place);
        let first_changed = if chunk.elements.is_empty() {
            self.chunks.remove(at);
            at
        } else {
            self.join(at)
        };
        self.count_from(first_changed);
        true
    }

    /// Appends an element. A full last chunk stays full, so that a list that grows at its end has no gaps.
    fn push(&mut self, element: T) {
        match self.chunks.last_mut() {
            Some(last) if last.elements.len() < CHUNK => {
                unique(&mut last.elements).push(element);
                last.end += 1;
            }
            _ => {
                let mut elements = Vec::with_capacity(CHUNK);
                elements.push(element);
                self.chunks.push(Chunk::new(elements));
                self.count_from(self.chunks.len() - 1);
            }
        }
    }

    /// Joins a chunk with the previous or the next one if both together fill at most half a chunk. Returns the first chunk
    /// that changed.
    fn join(&mut self, at: usize) -> usize {
        let length = |at: usize| self.chunks.get(at).map_or(CHUNK, |chunk| chunk.elements.len());
        let fits = |one: &usize| length(*one) + length(one.wrapping_add(1)) <= CHUNK / 2;
        let Some(one) = [at.wrapping_sub(1), at].into_iter().find(fits) else {
            return at;
        };
        let next = self.chunks.remove(one + 1);
        unique(&mut self.chunks[one].elements).extend_from_slice(&next.elements);
        one
    }
}

impl<T> Chunk<T> {
    fn new(elements: Vec<T>) -> Self {
        Self {
            end: elements.len(),
            elements: Arc::new(elements),
        }
    }
}

/// Returns the elements for an edit. Copies them if another list shares them.
fn unique<T: Clone>(elements: &mut Arc<Vec<T>>) -> &mut Vec<T> {
    if Arc::get_mut(elements).is_none() {
        let mut copy = Vec::with_capacity(CHUNK);
        copy.extend_from_slice(elements);
        *elements = Arc::new(copy);
    }
    Arc::make_mut(elements)
}

impl<T> Default for SharedList<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: PartialEq> PartialEq for SharedList<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for SharedList<T> {}

impl<T> Index<usize> for SharedList<T> {
    type Output = T;

    fn index(&self, position: usize) -> &T {
        let chunk = self.chunks.partition_point(|chunk| chunk.end <= position);
        let Chunk { end, elements } = &self.chunks[chunk];
        &elements[position + elements.len() - end]
    }
}

impl<T: Clone> FromIterator<T> for SharedList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut list = Self::default();
        for element in elements {
            list.push(element);
        }
        list
    }
}

impl<T: Clone> From<Vec<T>> for SharedList<T> {
    fn from(elements: Vec<T>) -> Self {
        elements.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn edits_equal_those_of_a_sorted_set(edits in prop::collection::vec((any::<bool>(), 0..400_u32), 0..900)) {
            let (mut list, mut set) = (SharedList::default(), BTreeSet::new());
            for (put, number) in edits {
                if put {
                    list.put(number, |other| other.cmp(&number));
                    set.insert(number);
                } else {
                    prop_assert_eq!(list.remove(|other| other.cmp(&number)), set.remove(&number));
                }
            }
            prop_assert!(list.iter().eq(set.iter()));
            prop_assert!(list.iter().rev().eq(set.iter().rev()));
            prop_assert_eq!((list.len(), list.is_empty()), (set.len(), set.is_empty()));
            for (position, number) in set.iter().enumerate() {
                prop_assert_eq!((list.get(position), list[position]), (Some(number), *number));
            }
            prop_assert_eq!(list.get(set.len()), None);
            prop_assert_eq!(list.first(), set.first());
        }
    }

    #[test]
    fn an_edit_leaves_copies_as_they_were_and_shares_the_other_chunks() {
        let before: SharedList<u32> = (0..1000).collect();
        let mut after = before.clone();
        after.remove(|other| other.cmp(&500));
        assert_eq!((before.len(), after.len()), (1000, 999));
        assert_eq!((before[500], after[500]), (500, 501));
        let copied = before.chunks.iter().zip(&after.chunks);
        let copied = copied.filter(|(one, two)| !Arc::ptr_eq(&one.elements, &two.elements));
        assert_eq!(copied.count(), 1);
    }

    #[test]
    fn a_list_that_grows_at_its_end_has_full_chunks_and_an_emptied_list_has_few() {
        let mut list: SharedList<u32> = (0..6400).collect();
        assert_eq!(list.chunks.len(), 100);
        for number in (0..6400).filter(|number| number % 64 != 0) {
            list.remove(|other| other.cmp(&number));
        }
        assert!(
            list.len() == 100 && list.chunks.len() <= 8,
            "{} chunks",
            list.chunks.len()
        );
    }
}
