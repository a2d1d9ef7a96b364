//! STUN messages: the vectors of RFC 5769, and Microsoft's form.

use super::*;

/// RFC 5769, section 2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
    802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36\
    000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

/// Section 2.2.
const RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f722000200008\
    0001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";

/// Section 2.3.
const RESPONSE_6: &str = "010100482112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f722000200014\
    0002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

/// Section 2.4.
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e\
    00060012e3839ee38388e383aae38383e382afe382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341\
    0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn message(bytes: &[u8]) -> Option<StunMessage<'_>> {
    StunMessage::read(Span::new(bytes, bytes.len()))
}

fn build(message_type: u16, id: [u8; 16], attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&message_type.to_be_bytes()[..], &length, &id, &body].concat()
}

const MS_COOKIE_ATTRIBUTE: (u16, &[u8]) = (0x000F, &[0x72, 0xC6, 0x4B, 0xC6]);

#[test]
fn the_sample_request_of_rfc_5769() {
    let bytes = hex(REQUEST);
    let stun = message(&bytes).unwrap();
    assert_eq!((stun.class(), stun.kind(), stun.format()), (Class::Request, "binding", Format::Rfc8489));
    assert_eq!(stun.software(), Some("STUN test client"));
    assert_eq!(stun.ice_role(), Some(IceRole::Controlled(0x932f_f9b1_5126_3b36)));
    assert!(stun.has_username() && !stun.use_candidate());
    let kinds: Vec<u16> = stun.attributes().map(|a| a.kind).collect();
    assert_eq!(kinds, [0x8022, 0x0024, 0x8029, 0x0006, 0x0008, 0x8028]);
    assert_eq!(stun.attributes().nth(3).unwrap().value, b"evtj:h6vY");
    assert_eq!(stun.transaction_id()[..], hex("2112a442b7e7a701bc34d686fa87dfae")[..]);
}

#[test]
fn the_sample_responses_of_rfc_5769() {
    for (bytes, address) in [
        (hex(RESPONSE), "192.0.2.1:32853"),
        (hex(RESPONSE_6), "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let stun = message(&bytes).unwrap();
        assert_eq!((stun.class(), stun.kind()), (Class::Success, "binding"));
        assert_eq!(stun.mapped_address(), Some(address.parse().unwrap()));
        assert_eq!(stun.software(), Some("test vector"));
        assert_eq!(stun.relayed_address(), None);
    }
}

#[test]
fn the_long_term_request_of_rfc_5769() {
    let bytes = hex(LONG_TERM);
    let stun = message(&bytes).unwrap();
    assert_eq!(stun.realm(), Some("example.org"));
    assert_eq!(std::str::from_utf8(stun.attributes().next().unwrap().value), Ok("マトリックス"));
}

#[test]
fn an_allocation_is_read() {
    let id = [0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let relayed = [0, 1, 0xC3 ^ 0x21, 0x50 ^ 0x12, 0xC6 ^ 0x21, 0x33 ^ 0x12, 0x64 ^ 0xA4, 0x07 ^ 0x42];
    let bytes = build(0x0103, id, &[(0x0016, &relayed), (0x000D, &[0, 0, 2, 0x58])]);
    let stun = message(&bytes).unwrap();
    assert_eq!(stun.relayed_address(), Some("198.51.100.7:50000".parse().unwrap()));
    assert_eq!((stun.kind(), stun.lifetime_seconds()), ("allocate", Some(600)));

    let bytes = build(0x0113, id, &[(0x0009, &[0, 0, 4, 38, b'S'])]);
    assert_eq!(message(&bytes).unwrap().error_code(), Some(438));

    let bytes =
        build(0x0009, id, &[(0x000C, &[0x40, 1, 0, 0]), (0x0012, &relayed), (0x0019, &[17, 0, 0, 0])]);
    let stun = message(&bytes).unwrap();
    assert_eq!((stun.channel_number(), stun.requested_transport()), (Some(0x4001), Some(17)));
    assert_eq!(stun.peer_address(), Some("198.51.100.7:50000".parse().unwrap()));
    assert!(message(&build(0x0001, id, &[(0x0025, &[])])).unwrap().use_candidate());
}

#[test]
fn ms_turn_is_told_by_its_first_attribute() {
    let id = [0x11; 16];
    let plain = [0, 1, 0xC3, 0x50, 198, 51, 100, 7];
    let xored = plain.map(|b| b ^ 0x11);
    let xored = [0, 1, xored[2], xored[3], xored[4], xored[5], xored[6], xored[7]];
    let quality = [0, 2, 0, 1];
    let attributes = [
        MS_COOKIE_ATTRIBUTE,
        (0x0001, &plain[..]),
        (0x8020, &xored[..]),
        (0x8055, &quality[..]),
        (0x8008, &[0, 0, 0, 6]),
        (0x0015, b"\"rtcmedia\""),
    ];
    let bytes = build(0x0103, id, &attributes);
    let stun = message(&bytes).unwrap();
    let address = Some("198.51.100.7:50000".parse().unwrap());
    assert_eq!((stun.format(), stun.kind(), stun.class()), (Format::MsTurn, "allocate", Class::Success));
    assert_eq!((stun.relayed_address(), stun.mapped_address()), (address, address));
    assert_eq!(stun.ms_service_quality(), Some(ServiceQuality { stream_type: 2, quality: 1 }));
    assert_eq!((stun.ms_version(), stun.realm()), (Some(6), Some("\"rtcmedia\"")));
    assert!(message(&build(0x0103, id, &attributes[1..])).is_none(), "without the cookie it is nothing");

    let bytes = build(0x0004, id, &[MS_COOKIE_ATTRIBUTE, (0x0011, &plain), (0x0013, &[9; 5])]);
    let stun = message(&bytes).unwrap();
    assert!(stun.is_wrapper());
    assert_eq!((stun.peer_address(), stun.data()), (address, Some(&[9; 5][..])));
}

#[test]
fn a_message_with_both_cookies_and_no_padding_is_read() {
    let mut id = [0x22; 16];
    id[..4].copy_from_slice(&COOKIE.to_be_bytes());
    let mut bytes = build(0x0003, id, &[MS_COOKIE_ATTRIBUTE]);
    bytes.extend([0, 6, 0, 3, 1, 2, 3, 0x80, 0x55, 0, 4, 0, 1, 0, 0]);
    bytes[3] += 15;
    let stun = message(&bytes).unwrap();
    assert_eq!((stun.format(), stun.kind(), stun.has_username()), (Format::MsTurn, "allocate", true));
    assert_eq!(stun.ms_service_quality(), Some(ServiceQuality { stream_type: 1, quality: 0 }));
}

#[test]
fn classic_messages_have_a_listed_type_and_fill_their_length() {
    let id = [0x55; 16];
    let address = [0, 1, 0xC3, 0x50, 198, 51, 100, 7];
    let response = build(0x0101, id, &[(0x0001, &address)]);
    let stun = message(&response).unwrap();
    assert_eq!(stun.format(), Format::Classic);
    assert_eq!(stun.mapped_address(), Some("198.51.100.7:50000".parse().unwrap()));
    let mut too_long = response.clone();
    too_long.push(0);
    let mut wrong = response.clone();
    wrong[23] = 9;
    for (name, bytes) in [
        ("octets behind", too_long),
        ("attribute that does not fill", wrong),
        ("type", build(0x0003, id, &[(0x0001, &address)])),
        ("cut", response[..30].to_vec()),
    ] {
        assert!(message(&bytes).is_none(), "{name}");
    }
    let snapped = StunMessage::read(Span::new(&response[..30], 32)).unwrap();
    assert_eq!((snapped.mapped_address(), snapped.bytes().len()), (None, 30));
}
