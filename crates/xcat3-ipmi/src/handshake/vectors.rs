//! Test vectors of each cryptographic step, made by other implementations.
//!
//! Those of [`COMPUTED`] were computed with Python: `hmac.new(key, message, hashlib.sha1 or sha256)` over the
//! concatenations of IPMI v2.0, 13.28 to 13.32, and AES-128 in CBC mode of the package `cryptography`;
//! numbers of sessions little-endian, user `admin`, role 0x14, password `secret` padded with zeros to 20
//! bytes. Those of [`IPMI_SIM`] and [`IPMITOOL`] were captured by a UDP relay between `ipmitool -I lanplus`
//! 1.8.19 and, with suite 3, `ipmi_sim` of OpenIPMI 2.0.33, with suite 17, this crate's BMC side.

use super::*;
use crate::message::{Command, Completion, Request, Response};
use crate::packet::{Packet, PayloadType, sealed};
use crate::rakp::{OpenResponse, Proof, Rakp1, Rakp2};

/// The values of a suite, in hexadecimal.
struct Computed {
    suite: CipherSuite,
    rakp2: &'static str,
    rakp3: &'static str,
    /// Without and with a BMC key.
    keyed: [Keyed; 2],
}

struct Keyed {
    bmc_key: bool,
    /// SIK, K1 and K2.
    session: &'static str,
    packet: &'static str,
    cipher: &'static str,
    rakp4: &'static str,
    /// Get Chassis Status as the first packet of the session.
    sealed: &'static str,
}

const COMPUTED: [Computed; 2] = [
    Computed {
        suite: CipherSuite::Sha1,
        rakp2: "3f60d27bda904d321b47464fb60f3b94d23a357e",
        rakp3: "70866d9c122d3e8d01cd48931f48cd0b90eb76f6",
        keyed: [
            Keyed {
                bmc_key: false,
                session: "f1246578caa7c3d49333d056e8e5da66ca585871",
                packet: "ac823e96d39ec1b8484fbe3a9b37237e06e7f5f9",
                cipher: "ee6b5858c6cb56e7fee496ceb88f0f963d62dee5",
                rakp4: "2e111ccf9580035aadce9e15",
                sealed: "0600ff0706c004030201010000002000606162636465666768696a6b6c6d6e6fbff21c2f9c4bba31b8c8da998b0e8ce5ffff0207c8b7e02a74178d7cddfa7b26",
            },
            Keyed {
                bmc_key: true,
                session: "764a8694e93a61fec242ea3851ecaac7095bacb7",
                packet: "82c20851937fb0fa5a66c12f90b5e23391e3377d",
                cipher: "c5dc69b72db4793e16eb54fac65c12e4a462b86f",
                rakp4: "89a8343c96967cbe7b7e6973",
                sealed: "0600ff0706c004030201010000002000606162636465666768696a6b6c6d6e6f23de5de98a026aa1e32f23741447a3afffff0207b029396e684f24dff7ce460a",
            },
        ],
    },
    Computed {
        suite: CipherSuite::Sha256,
        rakp2: "a545a8c83f89b90bd7e8dc18a3f88f27781a70728e24e33ec832119c26907f3d",
        rakp3: "e2c0c1f8ec9bb541dbbaae2e26d2460a1fada631a507597f584d9997302417c6",
        keyed: [
            Keyed {
                bmc_key: false,
                session: "dd1fd4dcf52717dbfc7bb6f6797aded6f09a2e70801a1930443d77c32f2634ce",
                packet: "f81be2b3b55ea14f46cc344ed2c06ecddc57e293c96159402406c543e3269cb6",
                cipher: "0f47849aa3b22c1cd25cf1b5638ca426fb20ff469192277be16f464324c0dc5e",
                rakp4: "697cded158f854c7b4ecfd3b35300ba1",
                sealed: "0600ff0706c004030201010000002000606162636465666768696a6b6c6d6e6f764da4f91b126bd2548be8953acf72deffff0207a94f667f9be9b8af5a376da1fb0d8e22",
            },
            Keyed {
                bmc_key: true,
                session: "258c5e14611a8f13004e55e5f32729b9398aca5cffa66ba16c05032e383ec690",
                packet: "5ec7e59a75720fc085a802e3e9125e0adbecf5e0f70c3eccea471713bbc6cb40",
                cipher: "ea3bcc2ad89dc4c03701430dccc1903d1b48bce40beb93bf6df7eb5c3066e7b1",
                rakp4: "4372554181570478b3c8dca1caae1c48",
                sealed: "0600ff0706c004030201010000002000606162636465666768696a6b6c6d6e6f1c72baf98100d5a79c9d056c14d91b99ffff02073baa7934ea56fdd1d77b9591641915cc",
            },
        ],
    },
];

/// ipmitool and ipmi_sim, `power status` with suite 3: Open Session Response, RAKP 1 to 4, then alternately
/// request and response packets.
const IPMI_SIM: [&str; 9] = [
    "0600ff0706110000000000000000240000000000a4a3a2a002000000000000080100000001000008010000000200000801000000",
    "0600ff07061200000000000000002100000000000200000019f611e201fc94f64fa76a36b835cb021400000561646d696e",
    "0600ff07061300000000000000003c0000000000a4a3a2a0795f14813d1884af96263550df06b02ea123456789abcdefa123456789abcdef54bc345ab4ccbeec3e25ebd46bab4a51e5782fb9",
    "0600ff07061400000000000000001c00000000000200000040afeaa58e6c00dc1fdf55b2b4e460c73c452e04",
    "0600ff0706150000000000000000140000000000a4a3a2a075efebc2506915afa296177e",
    "0600ff0706c0020000000300000020007096b5c4c3bd14016bac85644a02d622c1c02b377dbdabe32119b0a0de4be7d3ffff02077edcb1343ed2ef86a3ddbb19",
    "0600ff0706c0a4a3a2a00100000020001e1bbbf892e7c43bebbbbf6a2a3777f9faad48ffe25d3645807bdc46672813f2ffff02076106b12f587188da815f14b3",
    "0600ff0706c00200000004000000200070f45851bc713ef846b04f51ca884c3f3079c6e59856f7986d891228b7597c33ffff02076d99c61148719c4e3b098140",
    "0600ff0706c0a4a3a2a002000000200008fe2f0c548c4c08e90f733de9084d58a45a4ae143aab36352938fb94e5c8a6affff0207ee2ef6c7a7bb21ca714078f0",
];

/// ipmitool and this crate's BMC side, `power status` with suite 17, in the same order.
const IPMITOOL: [&str; 9] = [
    "0600ff0706110000000000000000240000000400a4a3a2a0120999db000000080300000001000008040000000200000801000000",
    "0600ff0706120000000000000000210000000000120999db830890b2a0d7878319a60f2260bb0d811400000561646d696e",
    "0600ff0706130000000000000000480000000000a4a3a2a00184352f5bbbaf4fd57cc14f1492d79607070707070707070707070707070707bb8a42ea83e93c63d691b8f5ec5f64aa15d2548b9c75c4ddd7c01aef558e481e",
    "0600ff0706140000000000000000280000000000120999db72685bda3ce85b6e2b6633ed0f6587a8316683f62e6a2e97ad6901ea0fd3e543",
    "0600ff0706150000000000000000180000000000a4a3a2a09f54e20985e47258b9e417b1f786a41b",
    "0600ff0706c0120999db030000002000d9030d67f7189a6a999a269488d0737c0685768ec5f96f7b799d604eb753f671ffff020789f45025fbc2b9b2d7985221bf68d730",
    "0600ff0706c0a4a3a2a00100000020000b49eff4a6a7d3786b5f15fd1bc711ff8d938e48ebcc7d603df7c791685c3f65ffff0207391047013c03747e4bee830c397c3b11",
    "0600ff0706c0120999db040000002000304be01bef49e7e02b5446b82b265752c09a68ca1ef358e37b4a3ead74e9cbf1ffff0207f0ad5d1bdd594ef94e218d0c5fef0094",
    "0600ff0706c0a4a3a2a0020000002000ee05a0c80d0b9ab8af80c6a9c50e022ea4472dec1707204c13affab4710a974cffff020792470936fca3ea063e0c214fb2568676",
];

fn bytes<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    bytes
        .iter_mut()
        .zip(first..)
        .for_each(|(byte, value)| *byte = value);
    bytes
}

fn password() -> Secret {
    Secret::new(b"secret").unwrap()
}

fn exchange(suite: CipherSuite) -> KeyExchange {
    KeyExchange {
        suite,
        console_session: 0xa1a2_a3a4,
        bmc_session: 0x0102_0304,
        console_random: bytes(0x10),
        bmc_random: bytes(0x30),
        guid: bytes(0x50),
        role: 0x14,
        user: b"admin".to_vec(),
    }
}

#[test]
fn codes_and_keys_equal_computed_ones() {
    for computed in &COMPUTED {
        let exchange = exchange(computed.suite);
        let hex = |code: AuthCode| hex::encode(code.as_bytes());
        assert_eq!(hex(exchange.rakp2_code(&password())), computed.rakp2);
        assert_eq!(hex(exchange.rakp3_code(&password())), computed.rakp3);
        for keyed in &computed.keyed {
            let bmc_key = Secret(bytes(0x80));
            let key = if keyed.bmc_key { bmc_key } else { password() };
            let derived = exchange.derive(&key);
            assert_eq!(hex(derived.session), keyed.session, "SIK");
            assert_eq!(hex(derived.packet), keyed.packet, "K1");
            assert_eq!(hex(derived.cipher), keyed.cipher, "K2");
            let keys = exchange.keys(&key);
            assert_eq!(hex(exchange.rakp4_code(&keys)), keyed.rakp4, "RAKP 4");
        }
    }
}

#[test]
fn packet_sealed_equals_computed_one() {
    let request = Request {
        command: Command::new(0x00, 0x01),
        number: 2,
        data: Vec::new(),
    };
    for computed in &COMPUTED {
        let exchange = exchange(computed.suite);
        for keyed in &computed.keyed {
            let bmc_key = Secret(bytes(0x80));
            let key = if keyed.bmc_key { bmc_key } else { password() };
            let keys = exchange.keys(&key);
            let numbers = (exchange.bmc_session, 1);
            let vector = bytes(0x60);
            let payload = request.encode();
            let packet = sealed(&keys, numbers, PayloadType::Message, &payload, vector);
            assert_eq!(hex::encode(&packet), keyed.sealed);
            let opened = Packet::parse(&packet).unwrap().open(&keys).unwrap();
            assert_eq!(Request::decode(&opened), Some(request.clone()));
        }
    }
}

#[test]
fn captured_sessions_are_verified_and_decrypted() {
    for (suite, captured) in [
        (CipherSuite::Sha1, IPMI_SIM),
        (CipherSuite::Sha256, IPMITOOL),
    ] {
        let captured: Vec<Vec<u8>> = captured.map(|line| hex::decode(line).unwrap()).to_vec();
        let payload = |index: usize| Packet::parse(&captured[index]).unwrap().plain().unwrap();
        let opened = OpenResponse::decode(payload(0)).unwrap().unwrap();
        let rakp1 = Rakp1::decode(payload(1)).unwrap();
        let rakp2 = Rakp2::decode(payload(2)).unwrap().unwrap();
        let rakp3 = Proof::decode(payload(3)).unwrap();
        let rakp4 = Proof::decode(payload(4)).unwrap();
        assert_eq!(opened.suite, suite);
        assert_eq!(rakp1.bmc_session, opened.bmc_session);
        let exchange = KeyExchange {
            suite,
            console_session: opened.console_session,
            bmc_session: opened.bmc_session,
            console_random: rakp1.random,
            bmc_random: rakp2.random,
            guid: rakp2.guid,
            role: rakp1.role,
            user: rakp1.user,
        };
        assert!(
            exchange.rakp2_code(&password()).matches(&rakp2.code),
            "RAKP 2"
        );
        assert!(
            exchange.rakp3_code(&password()).matches(&rakp3.code),
            "RAKP 3"
        );
        let keys = exchange.keys(&password());
        assert!(exchange.rakp4_code(&keys).matches(&rakp4.code), "RAKP 4");
        let sealed = captured[5..].iter().map(|datagram| {
            let packet = Packet::parse(datagram).unwrap();
            packet.open(&keys).unwrap()
        });
        let messages: Vec<Vec<u8>> = sealed.collect();
        let raised = Request::decode(&messages[0]).unwrap();
        assert_eq!(raised.command, Command::new(0x06, 0x3b), "{raised:?}");
        for pair in messages.chunks_exact(2) {
            let (request, response) = (Request::decode(&pair[0]), Response::decode(&pair[1]));
            let (request, response) = (request.unwrap(), response.unwrap());
            assert_eq!(response.number, request.number);
            assert_eq!(response.command, request.command);
            assert_ne!(response.completion, Completion::INSUFFICIENT_PRIVILEGE);
        }
    }
}
