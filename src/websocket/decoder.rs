//! A client's messages out of its bytes, in whatever pieces they come.

use std::cell::RefCell;
use std::mem;

use sophie_actors::protocol::CloseCode;

use super::deflate::Inflater;
use super::heads::{Allowed, Head, Heads, Opcode};
use super::utf8::Utf8;

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// A question whether we are there, to be answered with the same bytes.
    Ping(&'a [u8]),
    /// The answer to such a question of ours.
    Pong,
    /// Goodbye, with the code and the reason if it gives them.
    Close(Option<u16>, &'a str),
}

/// How far a look at some bytes has brought us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// More must come.
    More,
    /// A frame begins: [`Decoder::begin`] it, or [`Decoder::pass_over`] it.
    Head(Head),
    /// A frame has ended that says nothing by itself.
    Frame,
    /// A message is whole.
    Message(Message<'a>),
}

#[derive(Debug)]
struct Frame {
    head: Head,
    /// Bytes of its payload that are still to come.
    left: u64,
    is_passed_over: bool,
}

/// The state between two looks.
#[derive(Debug)]
pub(super) struct Decoder {
    most: usize,
    heads: Heads,
    frame: Option<Frame>,
    /// What has come of the message that is under way.
    message: Vec<u8>,
    /// Whether it is text, and compressed.
    kind: (bool, bool),
    utf8: Utf8,
    /// What has come of a control frame, which may stand between the fragments of a message.
    control: Vec<u8>,
    /// The message was given out and is no more needed.
    is_given: bool,
}

impl Decoder {
    pub(super) fn new(allowed: Allowed) -> Self {
        Self {
            most: allowed.bytes,
            heads: Heads::new(allowed),
            frame: None,
            message: Vec::new(),
            kind: (true, false),
            utf8: Utf8::default(),
            control: Vec::new(),
            is_given: false,
        }
    }

    /// Whether a frame is about to begin.
    pub(super) fn at_start(&self) -> bool {
        self.frame.is_none() && self.heads.at_start()
    }

    /// Takes the frame whose head was read last.
    ///
    /// # Errors
    /// What it is closed for that does not belong where it stands, or is too large.
    pub(super) fn begin(&mut self, head: Head) -> Result<(), CloseCode> {
        self.heads.admit(head)?;
        if matches!(head.opcode, Opcode::Text | Opcode::Binary) {
            self.kind = (head.opcode == Opcode::Text, head.compressed);
            self.utf8 = Utf8::default();
        }
        self.frame = Some(Frame { head, left: head.payload, is_passed_over: false });
        Ok(())
    }

    /// Leaves out the frame whose head was read last.
    pub(super) fn pass_over(&mut self, head: Head) {
        self.frame = Some(Frame { head, left: head.payload, is_passed_over: true });
    }

    /// Looks at bytes, which it unmasks in their place: how many of them it has taken, and how far that brings.
    ///
    /// # Errors
    /// What the connection is to be closed for.
    pub(super) fn step<'a>(
        &'a mut self,
        bytes: &'a mut [u8],
        inflater: &RefCell<Inflater>,
    ) -> Result<(usize, Step<'a>), CloseCode> {
        if mem::take(&mut self.is_given) {
            self.message = Vec::new();
        }
        let Some(frame) = &mut self.frame else {
            let (taken, head) = self.heads.read(bytes)?;
            return Ok((taken, head.map_or(Step::More, Step::Head)));
        };
        let taken = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
        let offset = frame.head.payload - frame.left;
        frame.left -= taken as u64;
        let is_over = frame.left == 0;
        let (head, is_passed_over) = (frame.head, frame.is_passed_over);
        if is_over {
            self.frame = None;
        }
        if is_passed_over {
            return Ok((taken, if is_over { Step::Frame } else { Step::More }));
        }
        let piece = &mut bytes[..taken];
        unmask(piece, head.mask, offset);
        if offset == 0 {
            self.control.clear();
        }
        let step = match head.opcode.is_control() {
            true => self.take_control(head, piece, is_over)?,
            false => self.take_data(head, piece, is_over, inflater)?,
        };
        Ok((taken, step))
    }

    fn take_control<'a>(&'a mut self, head: Head, piece: &'a [u8], is_over: bool) -> Result<Step<'a>, CloseCode> {
        let is_whole = is_over && piece.len() as u64 == head.payload;
        if !is_whole {
            self.control.extend_from_slice(piece);
            if !is_over {
                return Ok(Step::More);
            }
        }
        let payload: &[u8] = if is_whole { piece } else { &self.control };
        let message = match head.opcode {
            Opcode::Ping => Message::Ping(payload),
            Opcode::Close => goodbye(payload)?,
            _ => Message::Pong,
        };
        Ok(Step::Message(message))
    }

    fn take_data<'a>(
        &'a mut self,
        head: Head,
        piece: &'a [u8],
        is_over: bool,
        inflater: &RefCell<Inflater>,
    ) -> Result<Step<'a>, CloseCode> {
        let (is_text, is_compressed) = self.kind;
        // Nearly always a message comes in one piece, and is not copied.
        let is_whole =
            is_over && head.last && piece.len() as u64 == head.payload && head.opcode != Opcode::Continuation;
        if !is_whole {
            if is_text && !is_compressed && !self.utf8.goes_on(piece) {
                return Err(CloseCode::InvalidText);
            }
            self.message.extend_from_slice(piece);
            if !is_over {
                return Ok(Step::More);
            }
            if !head.last {
                return Ok(Step::Frame);
            }
        }
        self.is_given = true;
        if is_compressed {
            let compressed = if is_whole { piece } else { &self.message };
            self.message = inflater.borrow_mut().inflate(compressed, self.most)?;
        }
        let payload: &[u8] = if is_whole && !is_compressed { piece } else { &self.message };
        Ok(Step::Message(match is_text {
            true => Message::Text(std::str::from_utf8(payload).map_err(|_| CloseCode::InvalidText)?),
            false => Message::Binary(payload),
        }))
    }
}

/// Applies a frame's mask to a part of its payload, which begins so many bytes after the first.
fn unmask(part: &mut [u8], mask: [u8; 4], offset: u64) {
    let mut turned = mask;
    turned.rotate_left((offset % 4) as usize);
    let mut fours = part.chunks_exact_mut(4);
    for four in &mut fours {
        for (byte, key) in four.iter_mut().zip(turned) {
            *byte ^= key;
        }
    }
    for (byte, key) in fours.into_remainder().iter_mut().zip(turned) {
        *byte ^= key;
    }
}

/// A close frame's payload (RFC 6455, 5.5.1 and 7.4).
fn goodbye(payload: &[u8]) -> Result<Message<'_>, CloseCode> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(Message::Close(None, "")) } else { Err(CloseCode::ProtocolError) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(CloseCode::ProtocolError);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| CloseCode::InvalidText)?;
    Ok(Message::Close(Some(code), reason))
}

#[cfg(test)]
mod tests;
