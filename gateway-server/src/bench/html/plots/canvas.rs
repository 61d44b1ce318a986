//! Lines, boxes and text, in units that a browser scales.
//!
//! The drawing library counts in whole pixels. A picture is drawn ten times as large and shown at a tenth, so that a
//! slope is a slope and not a stair.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::markup::escape;
use super::super::palette::{Look, Marker};

/// Width of every picture; a phone shows about two thirds of it in each direction.
pub(super) const WIDTH: f64 = 480.0;
/// Size of the text in a picture.
pub(super) const TEXT: f64 = 15.0;

const FINE: f64 = 10.0;
/// The library's text is smaller than it is asked to be by this factor.
const TEXT_FACTOR: f64 = 1.24;

/// What comes of drawing; into a string in memory it always succeeds.
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A surface that is drawn on.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Where a text stands relative to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// A picture of this height, described in words for those who do not see it.
pub(super) fn picture(height: f64, label: &str, draw: impl FnOnce(&Canvas<'_>) -> Drawn) -> String {
    let about = format!("role=\"img\" aria-label=\"{}\"", escape(label));
    svg((WIDTH, height), &about, draw)
}

/// A small sign in running text, beside the words that say the same.
pub(super) fn sign(size: (f64, f64), draw: impl FnOnce(&Canvas<'_>) -> Drawn) -> String {
    let about = format!("class=\"sign\" width=\"{}\" height=\"{}\" aria-hidden=\"true\"", size.0, size.1);
    svg(size, &about, draw)
}

fn svg((width, height): (f64, f64), about: &str, draw: impl FnOnce(&Canvas<'_>) -> Drawn) -> String {
    let mut drawn = String::new();
    let size = (fine(width).unsigned_abs(), fine(height).unsigned_abs());
    let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
    let canvas = Canvas { area };
    let done = draw(&canvas).and_then(|()| canvas.area.present());
    drop(canvas);
    // The outer element is written anew: it says what is seen, and names no address.
    let inner = drawn.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map_or("", |(inner, _)| inner);
    let inner = if done.is_ok() { inner } else { "" };
    let shrink = 1.0 / FINE;
    format!("<svg viewBox=\"0 0 {width} {height}\" {about}><g transform=\"scale({shrink})\">{inner}</g></svg>\n")
}

impl Canvas<'_> {
    pub(super) fn line(&self, points: &[(f64, f64)], colour: RGBColor, width: f64) -> Drawn {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        self.area.draw(&PathElement::new(points, colour.stroke_width(fine(width).unsigned_abs())))
    }

    /// A line as the model's look asks for it.
    pub(super) fn curve(&self, points: &[(f64, f64)], look: Look) -> Drawn {
        let Some((dash, gap)) = look.dash else { return self.line(points, look.colour, 2.4) };
        let points: Vec<_> = points.iter().copied().map(place).collect();
        let stroke = look.colour.stroke_width(fine(2.4).unsigned_abs());
        let (dash, gap) = (fine(f64::from(dash)), fine(f64::from(gap)));
        self.area.draw(&DashedPathElement::new(points, dash, gap, stroke))
    }

    pub(super) fn marker(&self, at: (f64, f64), look: Look) -> Drawn {
        let (x, y) = at;
        let (colour, size) = (look.colour, 5.0);
        let shape = |corners: &[(f64, f64)]| {
            let corners: Vec<_> = corners.iter().map(|(right, down)| place((x + right, y + down))).collect();
            self.area.draw(&Polygon::new(corners, colour.filled()))
        };
        match look.marker {
            Marker::Disc => self.area.draw(&Circle::new(place(at), fine(size), colour.filled())),
            Marker::Ring => {
                self.area.draw(&Circle::new(place(at), fine(size), WHITE.filled()))?;
                self.area.draw(&Circle::new(place(at), fine(size), colour.stroke_width(20)))
            }
            Marker::Square => shape(&[(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)]),
            Marker::Diamond => shape(&[(0.0, -6.5), (6.5, 0.0), (0.0, 6.5), (-6.5, 0.0)]),
            Marker::Triangle => shape(&[(0.0, -6.0), (6.0, 5.0), (-6.0, 5.0)]),
            Marker::TriangleDown => shape(&[(0.0, 6.0), (6.0, -5.0), (-6.0, -5.0)]),
            Marker::Cross => {
                self.line(&[(x - size, y - size), (x + size, y + size)], colour, 3.0)?;
                self.line(&[(x - size, y + size), (x + size, y - size)], colour, 3.0)
            }
        }
    }

    pub(super) fn bar(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Drawn {
        self.area.draw(&Rectangle::new([place(from), place(to)], colour.filled()))
    }

    /// A box that is only sketched: paler, with strokes across.
    pub(super) fn hatched(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Drawn {
        let pale = colour.mix(0.25).filled();
        self.area.draw(&Rectangle::new([place(from), place(to)], pale))?;
        let ((left, top), (right, bottom)) = (from, to);
        let height = bottom - top;
        let mut foot = left;
        while foot < right + height {
            // A stroke rises to the right by as much as it goes right; it is cut where the box ends.
            let low = (foot.min(right), bottom - (foot - foot.min(right)));
            let head = foot - height;
            let high = (head.max(left), top + (head.max(left) - head));
            self.line(&[low, high], colour, 1.0)?;
            foot += 6.0;
        }
        let outline = colour.stroke_width(8);
        self.area.draw(&Rectangle::new([place(from), place(to)], outline))
    }

    pub(super) fn text(&self, text: &str, at: (f64, f64), align: Align, colour: RGBColor) -> Drawn {
        self.write(text, at, align, colour, FontStyle::Normal)
    }

    pub(super) fn heading(&self, text: &str, at: (f64, f64), align: Align, colour: RGBColor) -> Drawn {
        self.write(text, at, align, colour, FontStyle::Bold)
    }

    fn write(&self, text: &str, at: (f64, f64), align: Align, colour: RGBColor, style: FontStyle) -> Drawn {
        let across = match align {
            Align::Left => HPos::Left,
            Align::Middle => HPos::Center,
            Align::Right => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::SansSerif, TEXT * TEXT_FACTOR * FINE, style);
        let style = font.color(&colour).pos(Pos::new(across, VPos::Center));
        self.area.draw(&Text::new(text, place(at), style))
    }
}

fn place((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

#[expect(clippy::cast_possible_truncation, reason = "kept to a range that the type holds")]
fn fine(units: f64) -> i32 {
    let limit = 100_000.0;
    let fine = (units * FINE).round();
    if fine.is_nan() { 0 } else { fine.clamp(-limit, limit) as i32 }
}

#[cfg(test)]
mod tests {
    use super::super::super::palette::{self, INK};
    use super::*;

    #[test]
    fn a_picture_says_what_is_seen_and_names_no_address() {
        let svg = picture(100.0, "two <bars>", |canvas| canvas.bar((1.0, 2.0), (30.0, 40.0), INK));
        assert!(svg.starts_with("<svg viewBox=\"0 0 480 100\" role=\"img\" aria-label=\"two &lt;bars&gt;\">"), "{svg}");
        assert!(svg.contains("x=\"10\" y=\"20\" width=\"290\" height=\"380\""), "{svg}");
        assert!(!svg.contains("http"), "{svg}");
    }

    #[test]
    fn what_is_no_number_is_drawn_at_the_edge() {
        let svg = picture(10.0, "", |canvas| canvas.line(&[(f64::NAN, f64::INFINITY), (1.0, 1.0)], INK, 1.0));
        assert!(svg.contains("points=\"0,100 10,10 \""), "{svg}");
    }

    #[test]
    fn hatching_stays_in_its_box() {
        let svg = picture(100.0, "", |canvas| canvas.hatched((10.0, 20.0), (43.0, 40.0), INK));
        let points = svg.split("points=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        for (x, y) in points.flat_map(str::split_whitespace).map(|point| point.split_once(',').unwrap()) {
            let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((100..=430).contains(&x) && (200..=400).contains(&y), "{x},{y}");
        }
    }

    #[test]
    fn every_model_has_a_marker() {
        for at in 0..12 {
            let look = palette::model(at);
            let svg = sign((40.0, 20.0), |canvas| canvas.marker((20.0, 10.0), look));
            assert!(svg.contains('#'), "{look:?}");
        }
    }
}
