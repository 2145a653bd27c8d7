//! A name server of the test's own: UDP and TCP on one loopback port.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

pub use hickory_proto::op::ResponseCode;
use hickory_proto::op::{Message, MessageType};
pub use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::{A, AAAA, CAA, CNAME, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record};

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// On a connection.
    Tcp,
}

/// A question, its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name, without the last dot.
    pub name: String,
    /// The type of record.
    pub record_type: RecordType,
    /// How it came.
    pub transport: Transport,
}

/// What to answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These records; none of the type asked is "no data".
    Records(Vec<Record>),
    /// The same, and the SOA of a zone.
    WithSoa(&'static str, Vec<Record>),
    /// These records, whatever was asked.
    Anything(Vec<Record>),
    /// This code and no records.
    Code(ResponseCode),
    /// An empty answer with the truncation bit.
    Truncated,
    /// The records, under the question in lower case as a server does that ignores 0x20.
    LowerCase(Vec<Record>),
    /// Nothing at all.
    Silence,
}

/// A running name server. It ends with the test process.
#[derive(Debug)]
pub struct NameServer {
    /// Where it answers, by UDP and TCP.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl NameServer {
    /// One that answers as `reply` says.
    pub fn start(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let (udp, tcp) = bind();
        let address = udp.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let reply = Arc::new(reply);
        let (log, answer) = (Arc::clone(&asked), Arc::clone(&reply));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer) {
                if let Some(message) = respond(buffer.get(..length).unwrap(), Transport::Udp, &log, &*answer) {
                    udp.send_to(&message, peer).unwrap();
                }
            }
        });
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            while let Ok((stream, _peer)) = tcp.accept() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&reply));
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { address, asked }
    }

    /// One that knows these names, by A and AAAA, and no other.
    pub fn with(names: &[(&str, &[IpAddr])]) -> Self {
        let names: Vec<(String, Vec<IpAddr>)> =
            names.iter().map(|(name, addresses)| ((*name).to_owned(), addresses.to_vec())).collect();
        Self::start(move |question| match names.iter().find(|(name, _)| *name == question.name) {
            Some((name, addresses)) => Reply::Records(addresses.iter().map(|ip| address(name, *ip)).collect()),
            None => Reply::Code(ResponseCode::NXDomain),
        })
    }

    /// What has been asked so far.
    pub fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

/// An A or AAAA record.
pub fn address(owner: &str, ip: IpAddr) -> Record {
    let data = match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    };
    Record::from_rdata(Name::from_ascii(format!("{owner}.")).unwrap(), 300, data)
}

/// A TXT record of these strings.
pub fn text(owner: &str, strings: &[&str]) -> Record {
    let strings = strings.iter().map(|string| (*string).to_owned()).collect();
    Record::from_rdata(Name::from_ascii(format!("{owner}.")).unwrap(), 300, RData::TXT(TXT::new(strings)))
}

/// The SOA record of a zone.
fn soa(zone: &str) -> Record {
    let [zone, server] = [zone, "ns"].map(|name| Name::from_ascii(format!("{name}.")).unwrap());
    let data = SOA::new(server.clone(), server, 1, 3600, 600, 86_400, 1);
    Record::from_rdata(zone, 300, RData::SOA(data))
}

/// A CAA record.
pub fn caa(owner: &str, flags: u8, tag: &str, value: impl AsRef<[u8]>) -> Record {
    let mut data = CAA::new_issue(flags & 0x80 != 0, None, Vec::new());
    data.reserved_flags = flags & 0x7f;
    data.tag = tag.to_owned();
    data.value = value.as_ref().to_vec();
    Record::from_rdata(Name::from_ascii(format!("{owner}.")).unwrap(), 300, RData::CAA(data))
}

/// A CNAME record.
pub fn alias(owner: &str, target: &str) -> Record {
    let [owner, target] = [owner, target].map(|name| Name::from_ascii(format!("{name}.")).unwrap());
    Record::from_rdata(owner, 300, RData::CNAME(CNAME(target)))
}

/// A port for both.
pub(crate) fn bind() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Question>>, reply: &dyn Fn(&Question) -> Reply) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        if let Some(message) = respond(&query, Transport::Tcp, log, reply) {
            stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&message).unwrap();
        }
    }
}

fn respond(
    query: &[u8],
    transport: Transport,
    log: &Mutex<Vec<Question>>,
    reply: &dyn Fn(&Question) -> Reply,
) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(query).unwrap();
    let query = message.queries.first().unwrap().clone();
    let name = query.name().to_lowercase().to_ascii();
    let record_type = query.query_type();
    let question = Question { name: name.trim_end_matches('.').to_owned(), record_type, transport };
    log.lock().unwrap().push(question.clone());
    message.metadata.message_type = MessageType::Response;
    message.metadata.recursion_available = true;
    message.edns = None;
    // Aliases answer every question; the rest only their own type.
    let fitting = |records: Vec<Record>| {
        records
            .into_iter()
            .filter(|record| [record_type, RecordType::CNAME].contains(&record.record_type()))
            .collect::<Vec<_>>()
    };
    match reply(&question) {
        Reply::Records(records) => message.answers = fitting(records),
        Reply::LowerCase(records) => {
            let mut lower = query.clone();
            lower.set_name(query.name().to_lowercase());
            message.queries = vec![lower];
            message.answers = fitting(records);
        }
        Reply::WithSoa(zone, records) => {
            message.answers = fitting(records);
            message.authorities = vec![soa(zone)];
        }
        Reply::Anything(records) => message.answers = records,
        Reply::Code(code) => message.metadata.response_code = code,
        Reply::Truncated => message.metadata.truncation = true,
        Reply::Silence => return None,
    }
    Some(message.to_vec().unwrap())
}
