//! The frames of a WebSocket: cut from what was read without copying or parsing what is in them, and made for sending.

use std::{io::Cursor, ops::Range};

use tokio::net::TcpStream;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use crate::failure::Failure;

/// No server here sends more at once.
const LARGEST: u64 = 16 * 1024 * 1024;
const READ: usize = 16 * 1024;

/// What was read of a stream, and how far it was looked at.
pub(crate) struct Frames {
    buffer: Vec<u8>,
    seen: usize,
    payload: Range<usize>,
}

impl Frames {
    /// `rest` is what came together with the answer to the handshake.
    pub(crate) fn after(rest: Vec<u8>) -> Self {
        Self { buffer: rest, seen: 0, payload: 0..0 }
    }

    /// Goes on to the next frame, if it is there as a whole.
    pub(crate) fn advance(&mut self) -> Result<Option<OpCode>, Failure> {
        let mut ahead = Cursor::new(self.buffer.get(self.seen..).unwrap_or_default());
        let Some((header, length)) = FrameHeader::parse(&mut ahead)? else { return Ok(None) };
        if !header.is_final || header.rsv1 || length > LARGEST {
            return Err(Failure::new("the server sent a frame in parts, compressed or too long"));
        }
        let start = self.seen + usize::try_from(ahead.position())?;
        let end = start + usize::try_from(length)?;
        if end > self.buffer.len() {
            return Ok(None);
        }
        (self.payload, self.seen) = (start..end, end);
        Ok(Some(header.opcode))
    }

    /// What is in the frame that [`Self::advance`] went to.
    pub(crate) fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// Waits for more.
    pub(crate) async fn fill(&mut self, stream: &TcpStream) -> Result<(), Failure> {
        self.buffer.drain(..self.seen);
        (self.seen, self.payload) = (0, 0..0);
        self.buffer.reserve(READ);
        loop {
            stream.readable().await?;
            match stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return Err(Failure::new("the server closed the connection")),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A message as a client sends it. Its mask is of zeros, which leaves the payload as it is.
pub(crate) fn text(payload: &str) -> Result<Vec<u8>, Failure> {
    framed(OpCode::Data(Data::Text), payload.as_bytes())
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    framed(OpCode::Control(Control::Pong), payload)
}

fn framed(opcode: OpCode, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let header = FrameHeader { opcode, mask: Some([0; 4]), ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(14 + payload.len());
    header.format(payload.len() as u64, &mut frame)?;
    frame.extend(payload);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame as a server sends it: without a mask.
    fn from_server(payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
        let mut frame = Vec::new();
        header.format(payload.len() as u64, &mut frame).unwrap();
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_of_every_length_are_cut_where_they_end() {
        let payloads = [vec![], vec![b'a'; 125], vec![b'b'; 126], vec![b'c'; 65_535], vec![b'd'; 65_536]];
        let mut frames = Frames::after(payloads.iter().flat_map(|payload| from_server(payload)).collect());
        for payload in &payloads {
            assert_eq!(frames.advance().unwrap(), Some(OpCode::Data(Data::Text)));
            assert_eq!(frames.payload(), payload);
        }
        assert_eq!(frames.advance().unwrap(), None);
    }

    #[test]
    fn a_frame_that_is_not_whole_waits_for_the_rest() {
        let whole = from_server(&[b'x'; 300]);
        for cut in 0..whole.len() {
            let mut frames = Frames::after(whole[..cut].to_vec());
            assert_eq!(frames.advance().unwrap(), None, "cut at {cut}");
            frames.buffer.extend(&whole[cut..]);
            assert!(frames.advance().unwrap().is_some());
            assert_eq!(frames.payload(), [b'x'; 300]);
        }
    }

    #[test]
    fn what_this_client_cannot_read_is_told() {
        assert!(Frames::after(vec![0x01, 0x00]).advance().is_err(), "a part");
        assert!(Frames::after(vec![0xc1, 0x00]).advance().is_err(), "compressed");
        let endless = [[0x81, 127].as_slice(), &u64::MAX.to_be_bytes()].concat();
        assert!(Frames::after(endless).advance().is_err(), "too long");
    }

    #[test]
    fn what_is_sent_reads_as_a_masked_frame() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let frame = text(&"y".repeat(length)).unwrap();
            let (header, told) = FrameHeader::parse(&mut Cursor::new(&frame)).unwrap().unwrap();
            assert_eq!((header.mask, told), (Some([0; 4]), length as u64));
            assert_eq!(frame.len(), header.len(told) + length);
        }
    }
}
