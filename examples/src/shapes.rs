//! Generated pictures of shapes, of which it is known exactly where they are.

use crate::Draws;

/// A point: x to the right, y down, in pixels.
pub type Point = (f32, f32);

/// A filled shape.
#[derive(Debug, Clone)]
pub enum Shape {
    /// All that is this near to a point.
    Circle {
        /// The point.
        centre: Point,
        /// How near, in pixels.
        radius: f32,
    },
    /// A convex polygon.
    Polygon(Vec<Point>),
}

impl Shape {
    /// The polygon with corners at these angles, in turns, and distances from a point.
    pub fn polygon(centre: Point, corners: &[(f32, f32)]) -> Self {
        let corner = |&(angle, distance): &(f32, f32)| {
            let (sin, cos) = (angle * std::f32::consts::TAU).sin_cos();
            (centre.0 + distance * cos, centre.1 + distance * sin)
        };
        Self::Polygon(corners.iter().map(corner).collect())
    }

    /// A circle has none.
    pub fn corners(&self) -> &[Point] {
        match self {
            Self::Circle { .. } => &[],
            Self::Polygon(corners) => corners,
        }
    }

    fn contains(&self, (x, y): Point) -> bool {
        match self {
            Self::Circle { centre, radius } => (x - centre.0).hypot(y - centre.1) <= *radius,
            Self::Polygon(corners) => {
                let next = corners.iter().cycle().skip(1);
                let side =
                    |((x0, y0), (x1, y1)): (&Point, &Point)| (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0);
                let mut sides = corners.iter().zip(next).map(side);
                let is_right = |side: f32| side >= 0.;
                sides.clone().all(is_right) || sides.all(|side| !is_right(side))
            }
        }
    }
}

/// A square picture, row by row, and what stands where.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// Pixels in a row.
    pub side: usize,
    /// From about 0, black, to about 1, white.
    pub pixels: Vec<f32>,
    /// Of each pixel, the class of what was drawn there last; 0 is the background.
    pub classes: Vec<u32>,
}

impl Canvas {
    /// Nothing but a background of this grey.
    pub fn new(side: usize, grey: f32) -> Self {
        Self {
            side,
            pixels: vec![grey; side * side],
            classes: vec![0; side * side],
        }
    }

    /// Draws a shape: every pixel whose middle is within it.
    pub fn draw(&mut self, shape: &Shape, class: u32, grey: f32) {
        let places = self.pixels.iter_mut().zip(&mut self.classes);
        for (i, (pixel, what)) in places.enumerate() {
            let (x, y) = (i % self.side, i / self.side);
            if shape.contains((x as f32 + 0.5, y as f32 + 0.5)) {
                (*pixel, *what) = (grey, class);
            }
        }
    }

    /// Adds noise of this standard deviation to every pixel.
    pub fn add_noise(&mut self, std: f64, random: &Draws) {
        for pixel in &mut self.pixels {
            *pixel += (std * random.normal()) as f32;
        }
    }
}

/// A number from the first to before the second.
pub fn between(random: &Draws, from: f32, to: f32) -> f32 {
    from + (to - from) * random.uniform() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_covers_its_area() {
        let area = |shape: &Shape| {
            let mut canvas = Canvas::new(100, 0.1);
            canvas.draw(shape, 3, 0.9);
            let drawn = canvas.classes.iter().filter(|&&class| class == 3).count();
            assert_eq!(canvas.pixels.iter().filter(|&&p| p == 0.9).count(), drawn);
            drawn as f32
        };
        let circle = Shape::Circle {
            centre: (50., 50.),
            radius: 30.,
        };
        assert!((area(&circle) - 900. * std::f32::consts::PI).abs() < 30.);
        for turn in [0., 0.1, 0.77] {
            let corners: Vec<_> = (0..4).map(|i| (turn + i as f32 / 4., 40.)).collect();
            let square = Shape::polygon((50., 50.), &corners);
            assert!((area(&square) - 3200.).abs() < 60., "{turn}");
            assert_eq!(square.corners().len(), 4);
            // The other way round is the same.
            let corners: Vec<_> = corners.into_iter().rev().collect();
            assert!((area(&Shape::polygon((50., 50.), &corners)) - 3200.).abs() < 60.);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_noise() {
        let noisy = |seed| {
            let mut canvas = Canvas::new(9, 0.5);
            canvas.add_noise(0.1, &Draws::new(seed, "noise"));
            canvas.pixels
        };
        assert_eq!(noisy(1), noisy(1));
        assert_ne!(noisy(1), noisy(2));
    }
}
