//! How the services' messages are read: as prost reads them, but no request that is larger than its RPC needs, or has
//! more fields. Two bytes on the wire are an empty element of a list and some hundred in memory, so that a bound of bytes
//! is none of memory.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// How large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSize {
    /// After decompression.
    pub bytes_max: usize,
    /// Its fields, those of its parts and each element of a list counted.
    pub fields_max: usize,
}

/// What is enough for a request of which its RPC says nothing else (option `request_size`).
pub const REQUEST_SIZE: RequestSize = RequestSize {
    bytes_max: 65_536,
    fields_max: 4_096,
};

/// The requests that may be larger: full names of messages, sorted.
static LARGER: &[(&str, RequestSize)] = include!(concat!(env!("OUT_DIR"), "/request_sizes.rs"));

/// How large a request of this name may be: `greenlane.gate.v1.CheckInRequest`.
pub fn request_size(full_name: &str) -> RequestSize {
    match LARGER.binary_search_by_key(&full_name, |(name, _)| name) {
        Ok(place) => LARGER[place].1,
        Err(_) => REQUEST_SIZE,
    }
}

/// Nothing is deeper: prost reads no further (its recursion limit).
const DEPTH_MAX: usize = 100;

/// prost's codec with a bound of a request's fields.
#[derive(Clone, Copy, Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> BoundedDecoder<U> {
        // What a service answers is its own, and bounded there.
        let is_request = U::NAME.ends_with("Request");
        BoundedDecoder {
            inner: ProstDecoder::default(),
            size: is_request.then(|| request_size(&U::full_name())),
        }
    }
}

/// prost's decoder with the bounds of a request.
#[derive(Clone, Debug)]
pub struct BoundedDecoder<U> {
    inner: ProstDecoder<U>,
    /// None for an answer.
    size: Option<RequestSize>,
}

impl<U: Message + Name + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        if let Some(size) = self.size {
            size.check(buffer.remaining(), buffer.chunk())?;
        }
        self.inner.decode(buffer)
    }
}

impl RequestSize {
    /// Whether an encoded message of this length is within it; `bytes` are its first, or all.
    fn check(self, length: usize, bytes: &[u8]) -> Result<(), Status> {
        let Self {
            bytes_max,
            fields_max,
        } = self;
        if length > bytes_max {
            return Err(Status::out_of_range(format!(
                "The request has {length} bytes, and this call takes {bytes_max}; split it."
            )));
        }
        // A field takes a byte at least.
        let mut left = fields_max;
        if length > fields_max && !count(bytes, &mut left, 0) {
            return Err(Status::out_of_range(format!(
                "The request has more than the {fields_max} fields that this call takes; split it."
            )));
        }
        Ok(())
    }
}

/// Counts the fields of an encoded message and of whatever in it may be a message; false if there are more than are
/// left. Text that happens to read like fields is counted as far as it does. Where it is no message any more nothing
/// is, and prost refuses it.
fn count(mut bytes: &[u8], left: &mut usize, depth: usize) -> bool {
    while !bytes.is_empty() {
        let Some(tag) = varint(&mut bytes) else {
            return true;
        };
        let Some(fewer) = left.checked_sub(1) else {
            return false;
        };
        *left = fewer;
        // The Protocol Buffers' wire types (protobuf.dev, "Encoding").
        let length = match tag & 7 {
            0 if varint(&mut bytes).is_some() => 0,
            1 => 8,
            2 => match varint(&mut bytes).map(usize::try_from) {
                Some(Ok(length)) => length,
                _ => return true,
            },
            // A group begins or ends; what is in it follows.
            3 | 4 => 0,
            5 => 4,
            _ => return true,
        };
        let Some((part, rest)) = bytes.split_at_checked(length) else {
            return true;
        };
        if tag & 7 == 2 && depth < DEPTH_MAX && !count(part, left, depth + 1) {
            return false;
        }
        bytes = rest;
    }
    true
}

/// Nothing if there is none.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: usize = 131_072;

    fn counted(bytes: &[u8]) -> usize {
        let mut left = FIELDS;
        assert!(count(bytes, &mut left, 0));
        FIELDS - left
    }

    #[test]
    fn fields_are_counted_however_deep() {
        let (text, number) = ([0x0a, 2, b'~', b'~'], [0x10, 0x96, 0x01]);
        assert_eq!(counted(&[]), 0);
        assert_eq!(counted(&number), 1);
        // The text's first byte could begin a field, and then there is none.
        assert_eq!(counted(&text), 2);
        let within = [&[0x1a, 6][..], &number, &number].concat();
        assert_eq!(counted(&[&within[..], &within].concat()), 6);
        let fixed = [0x0d, 1, 2, 3, 4, 0x11, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(counted(&fixed), 2);
    }

    #[test]
    fn many_empty_elements_are_too_many_wherever_they_stand() {
        let empty = [0x3a, 0].repeat(FIELDS + 1);
        assert!(!count(&empty, &mut FIELDS.clone(), 0));
        let mut within = vec![0x0a];
        prost::encoding::encode_varint(empty.len() as u64, &mut within);
        within.extend(&empty);
        assert!(!count(&within, &mut FIELDS.clone(), 0));
        // Also if prost would find at the end only that it is no message.
        within.push(0x0f);
        assert!(!count(&within, &mut FIELDS.clone(), 0));
        let allowed = [0x3a, 0].repeat(FIELDS);
        assert_eq!(counted(&allowed), FIELDS);
    }

    #[test]
    fn a_message_as_deep_as_it_is_long_ends() {
        let mut deep = Vec::new();
        for _ in 0..2_000 {
            let mut outer = vec![0x0a];
            prost::encoding::encode_varint(deep.len() as u64, &mut outer);
            outer.extend(&deep);
            deep = outer;
        }
        assert!(counted(&deep) <= 2_000);
        assert!(counted(&[0x0b].repeat(10_000)) <= 10_000);
    }

    #[test]
    fn a_request_is_as_large_as_its_rpc_says_and_else_small() {
        let declaration = request_size("greenlane.customs.v1.FileDeclarationRequest");
        assert_eq!(declaration.fields_max, 131_072);
        let filing = request_size("greenlane.gate.v1.SubmitPreArrivalRequest");
        assert_eq!(filing, REQUEST_SIZE);
        let names = LARGER.iter().map(|(name, _)| name);
        assert!(names.is_sorted());
        assert!(filing.check(65_536, &[]).is_ok());
        assert!(filing.check(65_537, &[]).is_err());
        let elements = |number: usize| [0x3a, 0].repeat(number);
        let checked = |bytes: Vec<u8>| filing.check(bytes.len(), &bytes).is_ok();
        assert!(checked(elements(4_096)));
        assert!(!checked(elements(4_097)));
    }
}
