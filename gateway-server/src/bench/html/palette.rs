//! One colour, marker and dash for each model, the same everywhere; and the colours of parts and stages.
//!
//! The models wear the colours of Okabe and Ito, which people with any colour vision tell apart; the stages those of Paul
//! Tol's muted scheme, and a number beside. Markers and dashes say the same again, for paper without colour.

use plotters::style::RGBColor;

use super::super::result::Stage;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub(super) const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// How a model looks in every picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) colour: RGBColor,
    pub(super) marker: Marker,
    /// Lengths of a dash and of the gap behind it, in units of the picture; none for a whole line.
    pub(super) dash: Option<(u8, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Disc,
    Square,
    Diamond,
    Triangle,
    TriangleDown,
    Cross,
    Ring,
}

const LOOKS: [Look; 12] = [
    look(0x0072b2, Marker::Disc, None),
    look(0x009e73, Marker::Triangle, None),
    look(0x56b4e9, Marker::Square, Some((8, 4))),
    look(0xcc79a7, Marker::TriangleDown, Some((3, 3))),
    look(0xe69f00, Marker::Diamond, Some((10, 4))),
    look(0xd55e00, Marker::Cross, None),
    look(0x222222, Marker::Ring, Some((6, 3))),
    look(0x777777, Marker::Disc, Some((2, 4))),
    look(0x8b5a2b, Marker::Square, Some((12, 3))),
    look(0x6b8e00, Marker::Triangle, Some((4, 4))),
    look(0x7d3c98, Marker::Diamond, Some((2, 2))),
    look(0xb03060, Marker::Ring, Some((9, 6))),
];

const fn look(colour: u32, marker: Marker, dash: Option<(u8, u8)>) -> Look {
    let [_, red, green, blue] = colour.to_be_bytes();
    Look { colour: RGBColor(red, green, blue), marker, dash }
}

/// The look of the model that stands at `place` in the report.
pub(super) fn model(place: usize) -> Look {
    LOOKS.get(place % LOOKS.len()).copied().unwrap_or(look(0x222222, Marker::Disc, None))
}

/// A kind of process, or the kernel on its behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Server,
    Workers,
    Children,
    Kernel,
}

impl Part {
    pub(super) fn colour(self) -> RGBColor {
        match self {
            Part::Server => RGBColor(0x33, 0x66, 0x99),
            Part::Workers => RGBColor(0x66, 0xc2, 0xa5),
            Part::Children => RGBColor(0xd5, 0x7a, 0x2c),
            Part::Kernel => RGBColor(0xbb, 0xbb, 0xbb),
        }
    }

    /// One letter, for bars without colour.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Part::Server => "S",
            Part::Workers => "W",
            Part::Children => "C",
            Part::Kernel => "K",
        }
    }
}

/// All stages, in the order in which a request meets them.
pub(in super::super) const STAGES: [Stage; 11] = [
    Stage::Server,
    Stage::Accept,
    Stage::Parse,
    Stage::Queue,
    Stage::Connect,
    Stage::ForkExec,
    Stage::Loader,
    Stage::ApplicationStart,
    Stage::Application,
    Stage::Write,
    Stage::Exit,
];

/// The colour of a stage.
pub(super) fn stage(stage: Stage) -> RGBColor {
    match stage {
        Stage::Accept => RGBColor(0x33, 0x22, 0x88),
        Stage::Parse => RGBColor(0x88, 0xcc, 0xee),
        Stage::Queue => RGBColor(0x44, 0xaa, 0x99),
        Stage::Connect => RGBColor(0x11, 0x77, 0x33),
        Stage::ForkExec => RGBColor(0xcc, 0x66, 0x77),
        Stage::Loader => RGBColor(0xdd, 0xcc, 0x77),
        Stage::ApplicationStart => RGBColor(0x99, 0x99, 0x33),
        Stage::Application => RGBColor(0x5b, 0x9b, 0xd5),
        Stage::Write => RGBColor(0xaa, 0x44, 0x99),
        Stage::Exit => RGBColor(0x88, 0x22, 0x55),
        Stage::Server => RGBColor(0x99, 0x99, 0x99),
    }
}

/// What can be read on a background: white on dark colours, ink on light ones.
pub(super) fn contrast(colour: RGBColor) -> RGBColor {
    let RGBColor(red, green, blue) = colour;
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light < 140.0 { WHITE } else { INK }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_models_look_alike_even_without_colour() {
        for (at, one) in LOOKS.iter().enumerate() {
            for other in LOOKS.iter().skip(at + 1) {
                assert_ne!(one.colour, other.colour);
                assert_ne!((one.marker, one.dash), (other.marker, other.dash));
            }
        }
    }

    #[test]
    fn a_model_beyond_the_table_still_has_a_look() {
        assert_eq!(model(12), model(0));
    }

    #[test]
    fn no_two_stages_have_one_colour() {
        for (at, one) in STAGES.iter().enumerate() {
            assert!(STAGES.iter().skip(at + 1).all(|other| stage(*other) != stage(*one)));
        }
    }

    #[test]
    fn letters_are_white_on_dark_and_dark_on_light() {
        assert_eq!(contrast(INK), WHITE);
        assert_eq!(contrast(WHITE), INK);
    }
}
