use super::*;
use proptest::prelude::*;

const BARE: TableConfig = TableConfig {
    has_header: false,
    delimiter: b',',
};

fn table(text: impl AsRef<[u8]>, cfg: &TableConfig) -> Result<Table> {
    Table::parse(text.as_ref(), cfg, "t.csv".into())
}

fn named(text: impl AsRef<[u8]>) -> Table {
    table(text, &TableConfig::default()).unwrap()
}

#[test]
fn columns_become_tensors_of_their_type() {
    let table = named("\u{feff}a, b ,\"c, d\",kind\r\n1,2.5,-3,x\r\n\r\n4, 5e1 ,6,\"y\"\"y\nz\"\r\n7,0,9,x");
    assert_eq!(table.names().unwrap(), ["a", "b", "c, d", "kind"]);
    assert_eq!((table.num_rows(), table.num_columns()), (3, 4));
    let x = table.numbers(&["b", "a"], DType::F64).unwrap();
    assert_eq!(x.to_vec2::<f64>().unwrap(), [[2.5, 1.], [50., 4.], [0., 7.]]);
    let x = table.numbers(&[1], DType::F32).unwrap();
    assert_eq!(x.to_vec2::<f32>().unwrap(), [[2.5], [50.], [0.]]);
    let whole = |dtype| {
        let x = table.number("a", dtype).unwrap();
        assert_eq!((x.dtype(), x.dims()), (dtype, &[3][..]));
        x.to_dtype(DType::I64).unwrap().to_vec1::<i64>().unwrap()
    };
    for dtype in [DType::U8, DType::U32, DType::I16, DType::I32, DType::I64] {
        assert_eq!(whole(dtype), [1, 4, 7], "{dtype:?}");
    }
    let y = table.number("c, d", DType::I64).unwrap();
    assert_eq!(y.to_vec1::<i64>().unwrap(), [-3, 6, 9]);
    assert_eq!(table.text("kind").unwrap(), ["x", "y\"y\nz", "x"]);
}

#[test]
fn classes_count_the_categories_in_sorted_order() {
    let table = table(
        "3;b\n10;a\n3;Z\n",
        &TableConfig {
            delimiter: b';',
            ..BARE
        },
    )
    .unwrap();
    assert_eq!(table.names(), None);
    for (column, numbers, names) in [(1, [2, 1, 0], &["Z", "a", "b"][..]), (0, [1, 0, 1], &["10", "3"])] {
        let (classes, categories) = table.classes(column).unwrap();
        assert_eq!(classes.to_vec1::<u32>().unwrap(), numbers);
        assert_eq!(categories, names);
    }
}

#[test]
fn blanks_within_quotes_count() {
    let text = "\u{feff}\u{feff}\" k \", n \r\n\" a\"\" \n\" \t,\" 4 \"\r\n a\"b\"\" ,\"5\"\r\n\"\" ,6\r\n \"c\" , 7 ";
    let table = named(text);
    assert_eq!(table.names().unwrap(), [" k ", "n"]);
    // In quotes; with quotes that don't begin the field, which are text; nothing, in quotes; a blank before the quote.
    assert_eq!(table.text(" k ").unwrap(), [" a\" \n", "a\"b\"\"", "", "\"c\""]);
    assert_eq!(table.text("n").unwrap(), [" 4 ", "5", "6", "7"]);
    assert_eq!(
        table.number("n", DType::U8).unwrap().to_vec1::<u8>().unwrap(),
        [4, 5, 6, 7]
    );
    let spaced = self::table(
        "\" x\" \"y \"  z\n",
        &TableConfig {
            delimiter: b' ',
            ..BARE
        },
    )
    .unwrap();
    assert_eq!(
        (0..4).map(|i| spaced.text(i).unwrap()[0]).collect::<Vec<_>>(),
        [" x", "y ", "", "z"]
    );
}

#[test]
fn a_quote_that_is_not_closed_is_an_error() {
    for (text, delimiter, message) in [
        // Without the error: one row.
        (
            "a,b,c\n1,2,\"oops\n3,4,x\n5,6,y\n",
            b',',
            "line 2, column 3: the quote is never closed",
        ),
        ("\"", b',', "line 1, column 1: the quote is never closed"),
        (
            "\r\n\na;\"b\"\"\r\nc",
            b';',
            "line 3, column 2: the quote is never closed",
        ),
        (
            "1,\"\n\",\"\n\n",
            b',',
            "line 2, column 3: the quote is never closed",
        ),
        // The next quote closes it.
        (
            "1,\"oops\n2,\"x\"\n",
            b',',
            "line 2, column 2: text after the quote that closes the one opened in line 1, expected ',' or the line's end",
        ),
        (
            "1\t\"x\"y\n",
            b'\t',
            "line 1, column 2: text after the quote that closes the one opened in line 1, expected '\\t' or the line's end",
        ),
        (
            "\"x\" \"y\"",
            b',',
            "line 1, column 1: text after the quote that closes the one opened in line 1, expected ',' or the line's end",
        ),
    ] {
        let cfg = TableConfig { delimiter, ..BARE };
        let error = table(text, &cfg).unwrap_err().to_string();
        assert_eq!(error, format!("t.csv: {message}"), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    for (text, cfg, message) in [
        ("", BARE, "is empty: expected rows of fields"),
        ("\n\n", BARE, "is empty: expected rows of fields"),
        (
            "a,b\n",
            TableConfig::default(),
            "holds no rows but the names in its first line",
        ),
        (
            "a,b\n1,2\n\n3\n",
            BARE,
            "line 4: 1 fields, expected 2 as in line 1",
        ),
        (
            "1,\"2\n2\"\n1,2,3\n",
            BARE,
            "line 3: 3 fields, expected 2 as in line 1",
        ),
    ] {
        let error = table(text, &cfg).unwrap_err().to_string();
        assert_eq!(error, format!("t.csv: {message}"));
    }
    let error = table(b"a,b\n1,\xff\n", &BARE).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 2, column 2: isn't UTF-8");

    let table = named("a,b,b\n1,2,3\n\n4,x,\n-1,inf,300\n");
    for (index, dtype, message) in [
        (1, DType::F32, "line 4, column 2 (b): \"x\" is no finite number"),
        (2, DType::F64, "line 4, column 3 (b): \"\" is no finite number"),
        (
            0,
            DType::U32,
            "line 5, column 1 (a): \"-1\" is no whole number from 0 to 4294967295",
        ),
        (
            0,
            DType::F16,
            "dtype is F16, expected F32, F64, U8, U32, I16, I32 or I64",
        ),
        (3, DType::F32, "has no column 3: there are 3, from 0"),
    ] {
        let error = table.number(index, dtype).unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    for (name, message) in [
        ("c", "t.csv: has no column \"c\", expected one of a, b, b"),
        (
            "b",
            "t.csv: has two columns \"b\", 1 and 2: take one by its index",
        ),
    ] {
        assert_eq!(table.classes(name).unwrap_err().to_string(), message);
    }
    assert!(table.numbers::<usize>(&[], DType::F32).is_err());
    let infinite = named("a\n1\ninf\n").number("a", DType::F32).unwrap_err();
    assert_eq!(
        infinite.to_string(),
        "t.csv: line 3, column 1 (a): \"inf\" is no finite number"
    );
    let large = named("a\n1\n256\n").number("a", DType::U8).unwrap_err();
    assert!(
        large
            .to_string()
            .contains("line 3, column 1 (a): \"256\" is no whole number")
    );
    let bare = self::table("1\n", &BARE).unwrap().text("a").unwrap_err();
    assert!(bare.to_string().contains("it was read without names"), "{bare}");
    let missing = Table::read("/no/such/t.csv", &BARE).unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/t.csv: "), "{missing}");
}

#[test]
fn lines_of_blanks_alone_are_empty() {
    let table = named("\n  \na,b\n \t \n1,2\r\n\t\r\n3,4\n  ");
    assert_eq!(table.names().unwrap(), ["a", "b"]);
    assert_eq!(table.text("b").unwrap(), ["2", "4"]);
    let one = named("kind\n \nx\n\"\"\n\" \"\ny\n\t\n");
    // What is in quotes is a field.
    assert_eq!(one.classes("kind").unwrap().1, ["", " ", "x", "y"]);
    // As are blanks beside a delimiter, or that are delimiters.
    let error = self::table("a\n , \n", &BARE).unwrap_err().to_string();
    assert_eq!(error, "t.csv: line 2: 2 fields, expected 1 as in line 1");
    let cfg = TableConfig {
        delimiter: b'\t',
        ..BARE
    };
    assert_eq!(
        self::table("a\tb\n\t\n", &cfg).unwrap().text(1).unwrap(),
        ["b", ""]
    );
    let error = self::table(" \n\t\n", &BARE).unwrap_err().to_string();
    assert_eq!(error, "t.csv: is empty: expected rows of fields");
}

#[test]
fn lines_are_counted_however_they_end() {
    for end in ["\n", "\r\n", "\r"] {
        for (lines, message) in [
            (
                &["a,b", "1,2", "", "", "3"][..],
                "line 5: 1 fields, expected 2 as in line 1",
            ),
            (
                &["", "", "a,b", "1,2,3"],
                "line 4: 3 fields, expected 2 as in line 3",
            ),
            (
                &["1,\"2", "2\"", "1,2,3"],
                "line 3: 3 fields, expected 2 as in line 1",
            ),
            (
                &["1,2", "1,\"", "", ""],
                "line 2, column 2: the quote is never closed",
            ),
            (
                &["1,2", "\"x", "\"y,3"],
                "line 3, column 1: text after the quote that closes the one opened in line 2, expected ',' or the line's end",
            ),
        ] {
            let error = table(lines.join(end), &BARE).unwrap_err().to_string();
            assert_eq!(error, format!("t.csv: {message}"), "{end:?}");
        }
    }
}

#[test]
fn a_delimiter_that_cannot_be_one_is_an_error() {
    for (delimiter, value) in [
        (b'"', "b'\\\"'"),
        (b'\r', "b'\\r'"),
        (b'\n', "b'\\n'"),
        (0x80, "b'\\x80'"),
        (0xff, "b'\\xff'"),
    ] {
        let error = table("a", &TableConfig { delimiter, ..BARE })
            .unwrap_err()
            .to_string();
        let expected = "a character of ASCII, neither a quote nor what ends a line";
        assert_eq!(error, format!("delimiter is {value}, expected {expected}"));
    }
    for delimiter in [b',', b';', b'\t', b' ', b'|', 0x1f] {
        assert!(
            table("a", &TableConfig { delimiter, ..BARE }).is_ok(),
            "{delimiter}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b'\n'), Just(b'"'), Just(b'1'), any::<u8>()], 0..80),
        has_header in any::<bool>(),
    ) {
        if let Ok(table) = table(&bytes, &TableConfig { has_header, ..BARE }) {
            for column in 0..=table.num_columns() {
                let _ = table.number(column, DType::F32);
                if let Ok((classes, names)) = table.classes(column) {
                    prop_assert_eq!(classes.dims(), &[table.num_rows()]);
                    prop_assert!(names.len() <= table.num_rows());
                }
            }
        }
    }

    /// The walk finds the reader's rows, whatever the delimiter.
    #[test]
    fn quotes_are_found_as_the_reader_reads(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b','), Just(b'\n'), Just(b'\r'), Just(b'"'), Just(b'"'), Just(b' '), Just(b'1')],
            0..40,
        ),
        delimiter in prop_oneof![Just(b','), Just(b' '), Just(b'"'), Just(b'\n'), Just(b'\r')],
    ) {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bytes.as_slice());
        let (mut quotes, mut fields, mut written) = (Quotes::new(&bytes, delimiter), StringRecord::new(), Vec::new());
        // Up to a quote that is wrong.
        while quotes.row(&mut written).is_ok() {
            prop_assert_eq!(reader.read_record(&mut fields).unwrap(), !written.is_empty());
            if written.is_empty() {
                break;
            }
            prop_assert_eq!(fields.len(), written.len());
        }
    }

    #[test]
    fn any_text_in_quotes_is_read_as_it_is(
        rows in proptest::collection::vec(("[ a\",;\r\n\t]{0,6}", "[ a\",;\r\n\t]{0,6}"), 1..8),
        end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just(" \t\n\n")],
    ) {
        let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        let text: String = rows.iter().map(|(a, b)| [quoted(a), ",".into(), quoted(b), end.into()].concat()).collect();
        let table = table(text, &BARE).unwrap();
        let (a, b): (Vec<String>, Vec<String>) = rows.into_iter().unzip();
        prop_assert_eq!(table.text(0).unwrap(), a);
        prop_assert_eq!(table.text(1).unwrap(), b);
    }

    #[test]
    fn what_was_written_is_read(rows in proptest::collection::vec((-1e9f64..1e9, any::<i64>()), 1..20)) {
        let text: String = rows.iter().map(|(a, b)| format!("{a},{b}\n")).collect();
        let table = table(text, &BARE).unwrap();
        let (a, b): (Vec<f64>, Vec<i64>) = rows.into_iter().unzip();
        prop_assert_eq!(table.number(0, DType::F64).unwrap().to_vec1::<f64>().unwrap(), a);
        prop_assert_eq!(table.number(1, DType::I64).unwrap().to_vec1::<i64>().unwrap(), b);
    }
}
