//! Stacked bars lying one under the other, with what they add up to at their right.
//!
//! Where some bars are far longer than others, the short ones are shown a second time, enlarged.

use plotters::style::RGBColor;

use super::super::palette::{FAINT, INK, contrast};
use super::canvas::{Align, Canvas, Drawn, TEXT, WIDTH, picture, sign};
use super::scale::Scale;

/// From this on the shortest bar cannot be read beside the longest.
const FAR_APART: f64 = 6.0;
/// The enlarged picture holds the bars that are at most so long in the first.
const SHORT: f64 = 0.4;

const TOTALS: f64 = 84.0;
const NAMES: f64 = 62.0;
const THICK: f64 = 22.0;
const TITLE: f64 = 24.0;
const GAP: f64 = 10.0;
const FOOT: f64 = 30.0;

/// A model and its bars.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// Before the bar, where a group has several.
    pub(super) name: Option<&'static str>,
    pub(super) pieces: Vec<Piece>,
    /// What the pieces add up to, in words.
    pub(super) total: String,
}

/// A part of a bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) value: f64,
    pub(super) colour: RGBColor,
    /// What is written into it, if there is room.
    pub(super) sign: String,
    pub(super) fill: Fill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Whole,
    /// Not a part of the total.
    Hatched,
}

/// A picture of bars, and how much larger than in the first one they are.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Zoom {
    pub(in super::super) svg: String,
    /// 1 for the first picture.
    pub(in super::super) enlarged: f64,
}

impl Group {
    fn longest(&self) -> f64 {
        self.bars.iter().map(Bar::length).fold(0.0, f64::max)
    }
}

impl Bar {
    fn length(&self) -> f64 {
        self.pieces.iter().map(|piece| piece.value).sum()
    }
}

/// One picture of all bars; a second one, enlarged, of the short ones if there are.
pub(super) fn pictures(label: &str, groups: &[Group], write: fn(f64) -> String) -> Vec<Zoom> {
    let groups: Vec<&Group> = groups.iter().filter(|group| group.longest() > 0.0).collect();
    let Some(longest) = groups.iter().map(|group| group.longest()).reduce(f64::max) else { return Vec::new() };
    let shortest = groups.iter().map(|group| group.longest()).fold(longest, f64::min);
    let mut zooms = vec![Zoom { svg: draw(label, &groups, longest, write), enlarged: 1.0 }];
    if longest / shortest > FAR_APART {
        let short: Vec<&Group> = groups.into_iter().filter(|group| group.longest() <= longest * SHORT).collect();
        let end = short.iter().map(|group| group.longest()).fold(0.0, f64::max);
        let label = format!("{label}, the short bars enlarged");
        zooms.push(Zoom { svg: draw(&label, &short, end, write), enlarged: longest / end });
    }
    zooms
}

fn draw(label: &str, groups: &[&Group], longest: f64, write: fn(f64) -> String) -> String {
    let named = groups.iter().flat_map(|group| &group.bars).any(|bar| bar.name.is_some());
    let left = if named { NAMES } else { 2.0 };
    let scale = Scale::linear((0.0, longest), (left, WIDTH - TOTALS));
    let heights = groups.iter().map(|group| TITLE + group.bars.len() as f64 * (THICK + 3.0) + GAP);
    let foot = heights.sum::<f64>();
    let words: Vec<String> = groups.iter().map(|group| in_words(group)).collect();
    picture(foot + FOOT, &format!("{label}. {}", words.join("; ")), |canvas| {
        axis(canvas, &scale, foot, write)?;
        let mut top = 0.0;
        for group in groups {
            canvas.heading(&group.title, (2.0, top + TITLE / 2.0), Align::Left, INK)?;
            top += TITLE;
            for bar in &group.bars {
                stack(canvas, bar, &scale, top)?;
                top += THICK + 3.0;
            }
            top += GAP;
        }
        Ok(())
    })
}

fn in_words(group: &Group) -> String {
    let bars = group.bars.iter().map(|bar| bar.name.map_or(bar.total.clone(), |name| format!("{name} {}", bar.total)));
    format!("{}: {}", group.title, bars.collect::<Vec<_>>().join(", "))
}

fn axis(canvas: &Canvas<'_>, scale: &Scale, foot: f64, write: fn(f64) -> String) -> Drawn {
    for value in scale.ticks() {
        let right = scale.place(value);
        canvas.line(&[(right, TITLE - 4.0), (right, foot)], FAINT, 1.0)?;
        let align = if value == 0.0 { Align::Left } else { Align::Middle };
        canvas.text(&write(value), (right, foot + 12.0), align, INK)?;
    }
    Ok(())
}

fn stack(canvas: &Canvas<'_>, bar: &Bar, scale: &Scale, top: f64) -> Drawn {
    let middle = top + THICK / 2.0;
    if let Some(name) = bar.name {
        canvas.text(name, (NAMES - 6.0, middle), Align::Right, INK)?;
    }
    let mut before = 0.0;
    let mut end = scale.place(0.0);
    for piece in bar.pieces.iter().filter(|piece| piece.value > 0.0) {
        let (left, right) = (scale.place(before), scale.place(before + piece.value));
        before += piece.value;
        end = right;
        // A hair's breadth of white parts neighbours, where there is room for it.
        let right = if right - left > 3.0 { right - 0.8 } else { right };
        match piece.fill {
            Fill::Whole => canvas.bar((left, top), (right, top + THICK), piece.colour)?,
            Fill::Hatched => canvas.hatched((left, top), (right, top + THICK), piece.colour)?,
        }
        if piece.fill == Fill::Whole && right - left > width(&piece.sign) + 4.0 {
            let at = (f64::midpoint(left, right), middle);
            canvas.text(&piece.sign, at, Align::Middle, contrast(piece.colour))?;
        }
    }
    canvas.text(&bar.total, (end + 6.0, middle), Align::Left, INK)
}

/// How wide a text is, about: the browser chooses the font.
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * TEXT * 0.6
}

/// A small box of a piece's colour, for the legend.
pub(in super::super) fn swatch(colour: RGBColor, letter: &str, hatched: bool) -> String {
    sign((24.0, 20.0), |canvas| {
        if hatched {
            return canvas.hatched((1.0, 1.0), (23.0, 19.0), colour);
        }
        canvas.bar((0.0, 0.0), (24.0, 20.0), colour)?;
        canvas.text(letter, (12.0, 10.0), Align::Middle, contrast(colour))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(value: f64) -> Group {
        let piece = Piece { value, colour: INK, sign: "1".to_owned(), fill: Fill::Whole };
        Group { title: "one".to_owned(), bars: vec![Bar { name: None, pieces: vec![piece], total: "all".to_owned() }] }
    }

    fn write(value: f64) -> String {
        format!("{value}")
    }

    #[test]
    fn bars_of_like_length_are_one_picture() {
        assert_eq!(pictures("x", &[group(1.0), group(3.0)], write).len(), 1);
    }

    #[test]
    fn short_bars_are_enlarged_beside_a_long_one() {
        let zooms = pictures("x", &[group(2.0), group(3.0), group(60.0)], write);
        assert_eq!(zooms.iter().map(|zoom| zoom.enlarged).collect::<Vec<_>>(), [1.0, 20.0]);
        assert_eq!(zooms[1].svg.matches(">\none\n<").count(), 2, "{}", zooms[1].svg);
    }

    #[test]
    fn bars_without_length_are_no_picture() {
        assert!(pictures("x", &[group(0.0)], write).is_empty());
        assert!(pictures("x", &[], write).is_empty());
    }
}
