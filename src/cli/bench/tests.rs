use super::table::{Row, Target, Unit, head, json, line};

fn row(unit: Unit, figure: f64, target: Option<Target>) -> Row {
    Row { name: "a call".into(), unit, figure, floor: Some((10.0, "a floor")), target }
}

#[test]
fn figures_have_three_digits_and_a_unit_that_fits() {
    for (unit, figure, expected) in [
        (Unit::Nanos, 0.5, "0.5 ns"),
        (Unit::Nanos, 999.0, "999 ns"),
        (Unit::Nanos, 20_000.0, "20 µs"),
        (Unit::Nanos, 4_812.3, "4.81 µs"),
        (Unit::PerSecond, 281_400.0, "281 k/s"),
        (Unit::PerSecond, 4_000_000.0, "4 M/s"),
        (Unit::Bytes, 1_500.0, "1.5 kB"),
        (Unit::Packages, 70.0, "70"),
        (Unit::Seconds, 59.96, "60 s"),
    ] {
        let line = line(&row(unit, figure, None));
        assert!(line.contains(&format!("  {expected}  ")), "{expected}: {line}");
    }
}

#[test]
fn a_target_is_judged_by_the_figure_or_by_the_ratio() {
    for (figure, target, met) in [
        (5.0, Target::Most(5.0), true),
        (5.1, Target::Most(5.0), false),
        (4.9, Target::Least(5.0), false),
        (16.0, Target::MostTimes(1.6), true),
        (16.1, Target::MostTimes(1.6), false),
        (399.0, Target::LeastTimes(40.0), false),
        (400.0, Target::LeastTimes(40.0), true),
    ] {
        let row = row(Unit::Nanos, figure, Some(target));
        assert_eq!(json(&row)["met"], met, "{row:?}");
        assert!(line(&row).contains(if met { "  met " } else { "MISSED" }), "{}", line(&row));
    }
    let unfounded = Row { floor: None, ..row(Unit::Nanos, 1.0, Some(Target::MostTimes(9.0))) };
    assert_eq!(json(&unfounded)["met"], false, "a ratio without a floor meets nothing");
}

#[test]
fn what_has_no_target_is_only_told() {
    let told = row(Unit::Nanos, 5.0, None);
    assert_eq!(json(&told).get("met"), None);
    assert!(!line(&told).contains("met") && !line(&told).contains("MISSED"));
    assert_eq!(json(&told)["ratio"], 0.5);
    assert!(head().contains("figure") && head().contains("floor"));
}
