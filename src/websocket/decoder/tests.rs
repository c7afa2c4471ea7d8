//! Messages however they are cut.

use super::super::deflate::Deflate;
use super::super::fuzzing::{Said, put, said as in_pieces};
use super::*;

const ALL: Allowed = Allowed { bytes: 1_000, binary: true, compressed: true };

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put(&mut frame, first, payload);
    frame
}

/// What is said by bytes that come in pieces of this size.
fn said(bytes: &[u8], size: usize) -> Said {
    in_pieces(&bytes.chunks(size).collect::<Vec<_>>(), ALL)
}

/// The same in every cut.
fn said_in_any_cut(bytes: &[u8]) -> Said {
    let whole = said(bytes, bytes.len());
    for size in 1..bytes.len() {
        assert_eq!(said(bytes, size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn messages_are_the_same_in_any_cut() {
    let long = "é".repeat(100);
    let bytes = [
        frame(0x81, "Grüß".as_bytes()),
        frame(0x01, "a€".as_bytes()),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, b"b"),
        frame(0x82, &[0, 255]),
        frame(0x81, long.as_bytes()),
        frame(0x81, b""),
        frame(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let expected = [
        "Text(\"Grüß\")".to_owned(),
        format!("{:?}", Message::Ping(b"are you there")),
        "Pong".to_owned(),
        "Text(\"a€b\")".to_owned(),
        "Binary([0, 255])".to_owned(),
        format!("Text({long:?})"),
        "Text(\"\")".to_owned(),
        "Close(Some(1000), \"bye\")".to_owned(),
    ];
    assert_eq!(said_in_any_cut(&bytes), (expected.to_vec(), None));
}

#[test]
fn a_character_may_be_cut_between_fragments() {
    let text = "😀".as_bytes();
    let bytes = [frame(0x01, &text[..1]), frame(0x00, &text[1..3]), frame(0x80, &text[3..])].concat();
    assert_eq!(said_in_any_cut(&bytes), (vec!["Text(\"😀\")".to_owned()], None));
}

#[test]
fn what_is_no_text_is_refused_in_any_cut() {
    for bytes in [
        frame(0x81, b"a\xff"),
        frame(0x81, b"a\xe2\x82"),
        [frame(0x01, b"\xe2\x82"), frame(0x80, b"x")].concat(),
        frame(0x88, b"\x03\xe8\xff"),
    ] {
        assert_eq!(said_in_any_cut(&bytes), (vec![], Some(CloseCode::InvalidText)), "{bytes:x?}");
    }
}

#[test]
fn a_text_that_cannot_become_one_is_refused_before_it_is_whole() {
    let begun = frame(0x81, &[b"\xf4\x90".as_slice(), &[b'x'; 100]].concat());
    assert_eq!(said(&begun[..8], 8), (vec![], Some(CloseCode::InvalidText)));
}

#[test]
fn a_goodbye_must_be_one() {
    for payload in
        [&b"\x03"[..], b"\x00\x00", b"\x03\xec", b"\x03\xed", b"\x03\xee", b"\x04\x4c", b"\x07\xd0", b"\x13\x88"]
    {
        let refused = (vec![], Some(CloseCode::ProtocolError));
        assert_eq!(said_in_any_cut(&frame(0x88, payload)), refused, "{payload:x?}");
    }
    for code in [1000_u16, 1001, 1003, 1007, 1011, 3000, 4999] {
        let (said, refused) = said_in_any_cut(&frame(0x88, &code.to_be_bytes()));
        assert_eq!((said, refused), (vec![format!("Close(Some({code}), \"\")")], None));
    }
}

#[test]
fn compressed_messages_are_inflated_and_bounded() {
    let deflate = Deflate::negotiate(["permessage-deflate"].into_iter()).expect("agreed");
    let small = deflate.compress("Grüß Gott, ".repeat(20).as_bytes());
    let (first, second) = small.split_at(5);
    let bytes =
        [frame(0xc1, &small), frame(0x41, first), frame(0x89, b"p"), frame(0x80, second), frame(0x81, b"plain")]
            .concat();
    let text = format!("Text({:?})", "Grüß Gott, ".repeat(20));
    let expected = vec![text.clone(), format!("{:?}", Message::Ping(b"p")), text, "Text(\"plain\")".to_owned()];
    assert_eq!(said_in_any_cut(&bytes), (expected, None));

    let bomb = deflate.compress(&vec![b'x'; 100_000]);
    assert!(bomb.len() < 1_000, "it is within what a frame may have");
    assert_eq!(said(&frame(0xc1, &bomb), 10_000), (vec![], Some(CloseCode::TooLarge)));
    assert_eq!(said(&frame(0xc1, b"\xff\xff\xff"), 100), (vec![], Some(CloseCode::ProtocolError)));
    let no_text = deflate.compress(b"\xff\xfe");
    assert_eq!(said(&frame(0xc1, &no_text), 100), (vec![], Some(CloseCode::InvalidText)));
}

#[test]
fn what_is_passed_over_says_nothing() {
    let (mut decoder, inflater) = (Decoder::new(ALL), RefCell::default());
    let mut bytes = [frame(0x81, b"one"), frame(0x81, b"two")].concat();
    let Ok((taken, Step::Head(head))) = decoder.step(&mut bytes, &inflater) else { panic!("a head") };
    decoder.pass_over(head);
    let rest = &mut bytes[taken..];
    let Ok((skipped, Step::Frame)) = decoder.step(rest, &inflater) else { panic!("its end") };
    assert!(decoder.at_start());
    let Ok((taken, Step::Head(head))) = decoder.step(&mut rest[skipped..], &inflater) else { panic!("a head") };
    decoder.begin(head).expect("legal");
    let step = decoder.step(&mut rest[skipped + taken..], &inflater);
    assert_eq!(step, Ok((3, Step::Message(Message::Text("two")))));
}
