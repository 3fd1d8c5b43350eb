//! One step of each cell over some rows, and its gradient.
//!
//! A row of `x` and of `hidden` holds one block of `width` elements for each gate. Products with weights happen elsewhere.

use sconce_kernels::simd::{Element, Kernel, Simd, Vector};

/// h = f(x + hidden) with f tanh or relu.
pub(crate) struct Simple<'a, T> {
    pub(crate) relu: bool,
    pub(crate) x: &'a [T],
    pub(crate) hidden: &'a [T],
    pub(crate) h: &'a mut [T],
}

impl<T: Element> Kernel for Simple<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        let inputs = self.x.chunks(lanes).zip(self.hidden.chunks(lanes));
        for (h, (x, hidden)) in self.h.chunks_mut(lanes).zip(inputs) {
            let sum = s.load::<T>(x) + s.load::<T>(hidden);
            let value = if self.relu {
                // Where sum ≤ 0 is false for NaN, so it passes.
                <T::Vector<S> as Vector>::select(sum.le(sum.same(0.)), sum.same(0.), sum)
            } else {
                sum.tanh()
            };
            value.store(h);
        }
    }
}

/// The gradient of x (and of hidden) from those of h.
pub(crate) struct SimpleBackward<'a, T> {
    pub(crate) relu: bool,
    pub(crate) h: &'a [T],
    pub(crate) dh: &'a [T],
    pub(crate) dx: &'a mut [T],
}

impl<T: Element> Kernel for SimpleBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        let inputs = self.h.chunks(lanes).zip(self.dh.chunks(lanes));
        for (dx, (h, dh)) in self.dx.chunks_mut(lanes).zip(inputs) {
            let (h, dh) = (s.load::<T>(h), s.load::<T>(dh));
            let value = if self.relu {
                <T::Vector<S> as Vector>::select(h.le(h.same(0.)), h.same(0.), dh)
            } else {
                dh * (-h).mul_add(h, h.same(1.))
            };
            value.store(dx);
        }
    }
}

/// i, f, o = σ, g = tanh of their parts of x + hidden; c ← f⊙c + i⊙g; m = o⊙tanh c.
pub(crate) struct Lstm<'a, T> {
    pub(crate) width: usize,
    pub(crate) x: &'a [T],
    pub(crate) hidden: &'a [T],
    pub(crate) c: &'a mut [T],
    /// i, f, g, o of each row.
    pub(crate) gates: &'a mut [T],
    pub(crate) m: &'a mut [T],
}

impl<T: Element> Kernel for Lstm<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (w, lanes) = (self.width, s.lanes::<T>());
        let inputs = self.x.chunks_exact(4 * w).zip(self.hidden.chunks_exact(4 * w));
        let states = self.c.chunks_exact_mut(w).zip(self.m.chunks_exact_mut(w));
        let rows = inputs.zip(self.gates.chunks_exact_mut(4 * w)).zip(states);
        for (((x, hidden), gates), (c, m)) in rows {
            for at in (0..w).step_by(lanes) {
                let end = (at + lanes).min(w);
                let block = |k: usize| k * w + at..k * w + end;
                let sum = |k: usize| s.load::<T>(&x[block(k)]) + s.load::<T>(&hidden[block(k)]);
                let (i, f, g, o) = (
                    sum(0).sigmoid(),
                    sum(1).sigmoid(),
                    sum(2).tanh(),
                    sum(3).sigmoid(),
                );
                let next = f.mul_add(s.load::<T>(&c[at..end]), i * g);
                i.store(&mut gates[block(0)]);
                f.store(&mut gates[block(1)]);
                g.store(&mut gates[block(2)]);
                o.store(&mut gates[block(3)]);
                next.store(&mut c[at..end]);
                (o * next.tanh()).store(&mut m[at..end]);
            }
        }
    }
}

/// The gradient of x (and of hidden) from that of m; dc goes from the state after the step to the one before.
pub(crate) struct LstmBackward<'a, T> {
    pub(crate) width: usize,
    pub(crate) gates: &'a [T],
    pub(crate) c: &'a [T],
    pub(crate) c_before: &'a [T],
    pub(crate) dm: &'a [T],
    pub(crate) dc: &'a mut [T],
    pub(crate) dx: &'a mut [T],
}

impl<T: Element> Kernel for LstmBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (w, lanes) = (self.width, s.lanes::<T>());
        let states = self.c.chunks_exact(w).zip(self.c_before.chunks_exact(w));
        let grads = self.dm.chunks_exact(w).zip(self.dc.chunks_exact_mut(w));
        let rows = self.gates.chunks_exact(4 * w).zip(states).zip(grads);
        for (((gates, (c, c_before)), (dm, dc)), dx) in rows.zip(self.dx.chunks_exact_mut(4 * w)) {
            for at in (0..w).step_by(lanes) {
                let end = (at + lanes).min(w);
                let block = |k: usize| k * w + at..k * w + end;
                let gate = |k: usize| s.load::<T>(&gates[block(k)]);
                let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
                let (dm, tanh_c) = (s.load::<T>(&dm[at..end]), s.load::<T>(&c[at..end]).tanh());
                let one = i.same(1.);
                let dc_here = (dm * o).mul_add((-tanh_c).mul_add(tanh_c, one), s.load::<T>(&dc[at..end]));
                (dc_here * g * i * (one - i)).store(&mut dx[block(0)]);
                (dc_here * s.load::<T>(&c_before[at..end]) * f * (one - f)).store(&mut dx[block(1)]);
                (dc_here * i * (-g).mul_add(g, one)).store(&mut dx[block(2)]);
                (dm * tanh_c * o * (one - o)).store(&mut dx[block(3)]);
                (dc_here * f).store(&mut dc[at..end]);
            }
        }
    }
}

/// r, z = σ of their parts of x + hidden, n = tanh(x_n + r⊙hidden_n), h = (1 − z)⊙n + z⊙h_before.
pub(crate) struct Gru<'a, T> {
    pub(crate) width: usize,
    pub(crate) x: &'a [T],
    pub(crate) hidden: &'a [T],
    pub(crate) before: &'a [T],
    /// r, z, n, hidden_n of each row.
    pub(crate) gates: &'a mut [T],
    pub(crate) h: &'a mut [T],
}

impl<T: Element> Kernel for Gru<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (w, lanes) = (self.width, s.lanes::<T>());
        let inputs = self.x.chunks_exact(3 * w).zip(self.hidden.chunks_exact(3 * w));
        let states = self.before.chunks_exact(w).zip(self.h.chunks_exact_mut(w));
        let rows = inputs.zip(self.gates.chunks_exact_mut(4 * w)).zip(states);
        for (((x, hidden), gates), (before, h)) in rows {
            for at in (0..w).step_by(lanes) {
                let end = (at + lanes).min(w);
                let block = |k: usize| k * w + at..k * w + end;
                let sum = |k: usize| s.load::<T>(&x[block(k)]) + s.load::<T>(&hidden[block(k)]);
                let (r, z, hidden_n) = (sum(0).sigmoid(), sum(1).sigmoid(), s.load::<T>(&hidden[block(2)]));
                let n = r.mul_add(hidden_n, s.load::<T>(&x[block(2)])).tanh();
                r.store(&mut gates[block(0)]);
                z.store(&mut gates[block(1)]);
                n.store(&mut gates[block(2)]);
                hidden_n.store(&mut gates[block(3)]);
                z.mul_add(s.load::<T>(&before[at..end]) - n, n)
                    .store(&mut h[at..end]);
            }
        }
    }
}

/// The gradients of x and of hidden from that of h; of dh is left what goes to the state before directly.
pub(crate) struct GruBackward<'a, T> {
    pub(crate) width: usize,
    pub(crate) gates: &'a [T],
    pub(crate) before: &'a [T],
    pub(crate) dh: &'a mut [T],
    pub(crate) dx: &'a mut [T],
    pub(crate) dhidden: &'a mut [T],
}

impl<T: Element> Kernel for GruBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (w, lanes) = (self.width, s.lanes::<T>());
        let states = self.before.chunks_exact(w).zip(self.dh.chunks_exact_mut(w));
        let grads = self
            .dx
            .chunks_exact_mut(3 * w)
            .zip(self.dhidden.chunks_exact_mut(3 * w));
        for ((gates, (before, dh)), (dx, dhidden)) in self.gates.chunks_exact(4 * w).zip(states).zip(grads) {
            for at in (0..w).step_by(lanes) {
                let end = (at + lanes).min(w);
                let block = |k: usize| k * w + at..k * w + end;
                let gate = |k: usize| s.load::<T>(&gates[block(k)]);
                let (r, z, n, hidden_n) = (gate(0), gate(1), gate(2), gate(3));
                let (d, one) = (s.load::<T>(&dh[at..end]), r.same(1.));
                let dn = d * (one - z) * (-n).mul_add(n, one);
                let dr = dn * hidden_n * r * (one - r);
                let dz = d * (s.load::<T>(&before[at..end]) - n) * z * (one - z);
                dr.store(&mut dx[block(0)]);
                dz.store(&mut dx[block(1)]);
                dn.store(&mut dx[block(2)]);
                dr.store(&mut dhidden[block(0)]);
                dz.store(&mut dhidden[block(1)]);
                (dn * r).store(&mut dhidden[block(2)]);
                (d * z).store(&mut dh[at..end]);
            }
        }
    }
}

/// m = o⊙tanh c of an LSTM's rows.
pub(crate) struct Unprojected<'a, T> {
    pub(crate) width: usize,
    pub(crate) gates: &'a [T],
    pub(crate) c: &'a [T],
    pub(crate) m: &'a mut [T],
}

impl<T: Element> Kernel for Unprojected<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (w, lanes) = (self.width, s.lanes::<T>());
        let rows = self.gates.chunks_exact(4 * w).zip(self.c.chunks_exact(w));
        for ((gates, c), m) in rows.zip(self.m.chunks_exact_mut(w)) {
            let parts = gates[3 * w..].chunks(lanes).zip(c.chunks(lanes));
            for (m, (o, c)) in m.chunks_mut(lanes).zip(parts) {
                (s.load::<T>(o) * s.load::<T>(c).tanh()).store(m);
            }
        }
    }
}
