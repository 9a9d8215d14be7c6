//! Sums of products of rows: each row of one side with each of the other, lanes along the rows.

use super::{InstructionSet, Kernel, Real, Vector};

/// `sums[l · pitch + r] += Σ_i left[left_rows[l] + i] · right[right_rows[r] + i]`.
pub(crate) struct ProductSums<'a, T> {
    pub(crate) left: &'a [T],
    pub(crate) left_rows: &'a [usize],
    pub(crate) right: &'a [T],
    pub(crate) right_rows: &'a [usize],
    /// Of every row: whole vectors.
    pub(crate) len: usize,
    pub(crate) sums: &'a mut [T],
    pub(crate) pitch: usize,
}

impl<T: Real> Kernel for ProductSums<'_, T> {
    type Output = ();

    /// As many rows at a time as leave room for their sums in the registers.
    #[inline(always)]
    fn run<I: InstructionSet>(mut self) {
        let len = self.len / T::Vector::<I>::LANES * T::Vector::<I>::LANES;
        let reach = |rows: &[usize]| rows.iter().max().map_or(0, |row| row.saturating_add(len));
        assert!(reach(self.left_rows) <= self.left.len() && reach(self.right_rows) <= self.right.len(), "rows are inside");
        self.len = len;
        if const { I::REGISTERS >= 32 } { self.all::<I, 4, 6>() } else { self.all::<I, 3, 4>() }
    }
}

impl<T: Real> ProductSums<'_, T> {
    #[inline(always)]
    fn all<I: InstructionSet, const LEFT: usize, const RIGHT: usize>(&mut self) {
        let (left_rows, right_rows) = (self.left_rows, self.right_rows);
        let mut l = 0;
        while l < left_rows.len() {
            let whole = l + LEFT <= left_rows.len();
            let mut r = 0;
            while r < right_rows.len() {
                let left = right_rows.len() - r;
                r += match (whole, left) {
                    (true, _) if left >= RIGHT => self.tile::<I, LEFT, RIGHT>(l, r),
                    (true, 3..) => self.tile::<I, LEFT, 3>(l, r),
                    (true, _) => self.tile::<I, LEFT, 1>(l, r),
                    (false, _) if left >= RIGHT => self.tile::<I, 1, RIGHT>(l, r),
                    (false, _) => self.tile::<I, 1, 1>(l, r),
                };
            }
            l += if whole { LEFT } else { 1 };
        }
    }

    /// The sums of some pairs of rows, in registers from the first product to the last. Returns how many right rows that were.
    #[inline(always)]
    fn tile<I: InstructionSet, const LEFT: usize, const RIGHT: usize>(&mut self, l: usize, r: usize) -> usize {
        let zero = T::Vector::<I>::splat(T::zero());
        let (mut left, mut right): ([&[T]; LEFT], [&[T]; RIGHT]) = ([&[]; LEFT], [&[]; RIGHT]);
        for row in 0..LEFT {
            left[row] = &self.left[self.left_rows[l + row]..][..self.len];
        }
        for row in 0..RIGHT {
            right[row] = &self.right[self.right_rows[r + row]..][..self.len];
        }
        let mut registers = [[zero; RIGHT]; LEFT];
        for start in (0..self.len).step_by(T::Vector::<I>::LANES) {
            let place = start..start + T::Vector::<I>::LANES;
            let mut of_left = [zero; LEFT];
            for row in 0..LEFT {
                // SAFETY: every row was cut to `len`, whole vectors.
                of_left[row] = T::Vector::<I>::load(unsafe { left[row].get_unchecked(place.clone()) });
            }
            for column in 0..RIGHT {
                // SAFETY: as above.
                let of_right = T::Vector::<I>::load(unsafe { right[column].get_unchecked(place.clone()) });
                for row in 0..LEFT {
                    registers[row][column] = of_left[row].multiply_add(of_right, registers[row][column]);
                }
            }
        }
        for row in 0..LEFT {
            add_lanes::<T, I, RIGHT>(registers[row], &mut self.sums[(l + row) * self.pitch + r..]);
        }
        RIGHT
    }
}

/// Adds the sum of each register's lanes to the number at its place.
#[inline(always)]
fn add_lanes<T: Real, I: InstructionSet, const COUNT: usize>(registers: [T::Vector<I>; COUNT], to: &mut [T]) {
    let (to, mut lanes) = (&mut to[..COUNT], [T::zero(); 64]);
    let used = COUNT.next_power_of_two();
    if used > T::Vector::<I>::LANES {
        for column in 0..COUNT {
            registers[column].store(&mut lanes);
            to[column] = sum_of(&lanes[..T::Vector::<I>::LANES], to[column]);
        }
        return;
    }
    // Neighbours are added, and two registers become one, until one of them holds the sums of all.
    let mut folded = [T::Vector::<I>::splat(T::zero()); 8];
    folded[..COUNT].copy_from_slice(&registers);
    let mut count = used;
    while count > 1 {
        for pair in 0..count / 2 {
            let (even, odd) = folded[2 * pair].deinterleave(folded[2 * pair + 1]);
            folded[pair] = even.add(odd);
        }
        count /= 2;
    }
    folded[0].store(&mut lanes);
    let each = T::Vector::<I>::LANES / used;
    for column in 0..COUNT {
        to[column] = sum_of(&lanes[column * each..][..each], to[column]);
    }
}

#[inline(always)]
fn sum_of<T: Real>(lanes: &[T], mut sum: T) -> T {
    for &lane in lanes {
        sum = sum + lane;
    }
    sum
}
