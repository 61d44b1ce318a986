//! A chart of lines: axes that say what they count, a line for each model.

use super::super::palette::{FAINT, INK, Look};
use super::canvas::{Align, Canvas, Drawn, WIDTH, picture, sign};
use super::scale::Scale;

const HEIGHT: f64 = 340.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 38.0;
const BOTTOM: f64 = HEIGHT - 56.0;

/// From left to right of the plotted field.
pub(super) const ACROSS: (f64, f64) = (LEFT + 12.0, RIGHT - 8.0);
/// From its foot to its head.
pub(super) const UPWARD: (f64, f64) = (BOTTOM, TOP);

/// An axis: what it counts, and where its values are.
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) scale: Scale,
    /// Values and how they are written.
    pub(super) ticks: Vec<(f64, String)>,
}

/// One model's line.
pub(super) struct Line {
    pub(super) look: Look,
    pub(super) points: Vec<(f64, f64)>,
    /// The points among them, or on the line, that a marker stands at.
    pub(super) markers: Vec<(f64, f64)>,
}

pub(super) fn chart(label: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    picture(HEIGHT, label, |canvas| {
        axes(canvas, x, y)?;
        let place = |(right, up): &(f64, f64)| (x.scale.place(*right), y.scale.place(*up));
        for line in lines {
            let points: Vec<_> = line.points.iter().map(place).collect();
            canvas.curve(&points, line.look)?;
        }
        // Above all lines, so that none hides a marker.
        for line in lines {
            line.markers.iter().try_for_each(|at| canvas.marker(place(at), line.look))?;
        }
        Ok(())
    })
}

fn axes(canvas: &Canvas<'_>, x: &Axis, y: &Axis) -> Drawn {
    canvas.text(&y.title, (4.0, 14.0), Align::Left, INK)?;
    canvas.text(&x.title, (f64::midpoint(LEFT, RIGHT), HEIGHT - 14.0), Align::Middle, INK)?;
    for (value, text) in &y.ticks {
        let up = y.scale.place(*value);
        canvas.line(&[(LEFT, up), (RIGHT, up)], FAINT, 1.0)?;
        canvas.text(text, (LEFT - 6.0, up), Align::Right, INK)?;
    }
    for (value, text) in &x.ticks {
        let right = x.scale.place(*value);
        canvas.line(&[(right, TOP - 6.0), (right, BOTTOM + 5.0)], FAINT, 1.0)?;
        canvas.text(text, (right, BOTTOM + 19.0), Align::Middle, INK)?;
    }
    canvas.line(&[(LEFT, TOP - 6.0), (LEFT, BOTTOM), (RIGHT, BOTTOM)], INK, 1.2)
}

/// A short piece of a model's line, for the legend.
pub(in super::super) fn sample(look: Look) -> String {
    sign((36.0, 16.0), |canvas| {
        canvas.curve(&[(1.0, 8.0), (35.0, 8.0)], look)?;
        canvas.marker((18.0, 8.0), look)
    })
}
