//! Somebody on the way between a resolver and whoever asks it: passes questions on, and changes answers as a test says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::name_server::bind;

/// The largest answer that is sent in a datagram (RFC 9715).
const DATAGRAM: usize = 1_232;

/// A running one. It ends with the test process.
#[derive(Debug)]
pub struct TamperingServer {
    /// Where it answers, by UDP and TCP.
    pub address: SocketAddr,
}

impl TamperingServer {
    /// One between `upstream` and whoever asks.
    pub fn start(upstream: SocketAddr, tamper: impl Fn(&mut Message) + Send + Sync + 'static) -> Self {
        let (udp, tcp) = bind();
        let address = udp.local_addr().unwrap();
        let tamper = Arc::new(tamper);
        let change = Arc::clone(&tamper);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
                let mut answer = ask(upstream, buffer.get(..length).unwrap(), &*change);
                if answer.to_vec().unwrap().len() > DATAGRAM {
                    answer = answer.truncate();
                }
                udp.send_to(&answer.to_vec().unwrap(), peer).unwrap();
            }
        });
        std::thread::spawn(move || {
            while let Ok((mut stream, _peer)) = tcp.accept() {
                let change = Arc::clone(&tamper);
                std::thread::spawn(move || {
                    while let Some(question) = read(&mut stream) {
                        let answer = ask(upstream, &question, &*change);
                        write(&mut stream, &answer.to_vec().unwrap());
                    }
                });
            }
        });
        Self { address }
    }
}

/// What `upstream` says, with signatures.
pub fn question(upstream: SocketAddr, name: &str, record_type: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    let mut edns = Edns::new();
    edns.enable_dnssec();
    message.set_edns(edns);
    ask(upstream, &message.to_vec().unwrap(), &|_answer| {})
}

/// The changed answer, which came on a connection and so is whole.
fn ask(upstream: SocketAddr, question: &[u8], tamper: &dyn Fn(&mut Message)) -> Message {
    let mut stream = TcpStream::connect(upstream).unwrap();
    write(&mut stream, question);
    let mut answer = Message::from_vec(&read(&mut stream).unwrap()).unwrap();
    tamper(&mut answer);
    answer
}

fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn write(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(message).unwrap();
}
