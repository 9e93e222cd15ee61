//! A serde serializer that writes RFC 8785 canonical JSON in one pass.
//!
//! Struct fields that are declared in canonical order cost nothing extra; others are sorted when the
//! object ends. It reads numbers the same way whether or not `serde_json` was built with
//! `arbitrary_precision`, and sorts whether or not it preserves order.

use serde::{
    Serialize, Serializer,
    ser::{
        Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::Value;

use super::{
    MAX_DEPTH, number,
    string::string,
    text::Text,
    writer::{Key, MAX_KEPT, Place, Writer},
};

/// Keys with this prefix mean something to `serde_json` when certain features are on, so they are refused.
pub(super) const RESERVED_KEY: &str = "$serde_json::private::";
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Why a value cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonError {
    /// A number outside ±(2^53 − 1), or not a number at all.
    #[error("number `{number}` is outside ±(2^53 − 1): send a string")]
    NumberRange {
        /// The number.
        number: String,
    },
    /// The same key twice in one object.
    #[error("key `{key}` appears twice in one object")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A key that JSON libraries reserve.
    #[error("key `{key}` is reserved")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// Nesting beyond [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More bytes than the limit for this kind of value.
    #[error("{bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// More of something else than there may be.
    #[error(transparent)]
    Limit(#[from] super::LimitError),
    /// A value that is not JSON, such as a map whose keys are not strings.
    #[error("{what}")]
    NotJson {
        /// What it was.
        what: String,
    },
}

impl serde::ser::Error for CanonError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::NotJson { what: message.to_string() }
    }
}

/// Writes any serializable value as sealed JSON.
///
/// # Errors
/// See [`CanonError`].
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonError> {
    let mut writer = Writer::take();
    let done = value.serialize(&mut writer).map(|()| match writer.out.len() {
        0..=MAX_KEPT => writer.out.clone(),
        _ => std::mem::take(&mut writer.out),
    });
    writer.keep();
    done
}

/// Writes a JSON value as sealed JSON.
///
/// # Errors
/// See [`CanonError`].
pub fn canonical_value(value: &Value) -> Result<Vec<u8>, CanonError> {
    to_canonical(value)
}

/// Does something with the bytes of [`to_canonical`] where they were written, in the buffer that the thread keeps for it.
///
/// # Errors
/// See [`CanonError`].
pub(crate) fn with_canonical<T: Serialize + ?Sized, R>(
    value: &T,
    work: impl FnOnce(&[u8]) -> R,
) -> Result<R, CanonError> {
    let mut writer = Writer::take();
    let done = value.serialize(&mut writer).map(|()| work(&writer.out));
    writer.keep();
    done
}

/// An object being written.
pub(super) struct Object<'a> {
    writer: &'a mut Writer,
    place: Place,
    key: Option<Key>,
}

impl<'a> Object<'a> {
    fn begin(writer: &'a mut Writer) -> Result<Self, CanonError> {
        Ok(Self { place: writer.begin_object()?, key: None, writer })
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), CanonError> {
        self.writer.begin_member(&mut self.place, key)?;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Result<(), CanonError> {
        self.writer.end_object(&self.place)
    }
}

/// An array being written.
pub(super) struct Array<'a> {
    writer: &'a mut Writer,
    first: bool,
    /// A tuple or struct variant is wrapped in an object with the variant's name.
    wrapped: bool,
}

impl Array<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonError> {
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn finish(self) {
        self.writer.leave(b']');
        if self.wrapped {
            self.writer.leave(b'}');
        }
    }
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = CanonError;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = VariantObject<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), CanonError> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_i128(self, value: i128) -> Result<(), CanonError> {
        number::integer(&mut self.out, value)
    }
    fn serialize_u8(self, value: u8) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<(), CanonError> {
        self.serialize_i128(value.into())
    }
    fn serialize_f32(self, value: f32) -> Result<(), CanonError> {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> Result<(), CanonError> {
        number::float(&mut self.out, value)
    }
    fn serialize_char(self, value: char) -> Result<(), CanonError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), CanonError> {
        string(&mut self.out, value);
        Ok(())
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), CanonError> {
        Err(CanonError::custom("bytes are not JSON"))
    }
    fn serialize_none(self) -> Result<(), CanonError> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), CanonError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CanonError> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), CanonError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), CanonError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonError> {
        let mut object = Object::begin(self)?;
        object.member(Key::Static(variant), value)?;
        object.finish()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, CanonError> {
        self.enter(b'[')?;
        Ok(Array { writer: self, first: true, wrapped: false })
    }
    fn serialize_tuple(self, len: usize) -> Result<Array<'a>, CanonError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Array<'a>, CanonError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Array<'a>, CanonError> {
        self.enter(b'{')?;
        string(&mut self.out, variant);
        self.out.push(b':');
        self.enter(b'[')?;
        Ok(Array { writer: self, first: true, wrapped: true })
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, CanonError> {
        Object::begin(self)
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Struct<'a>, CanonError> {
        Ok(if name == NUMBER_TOKEN { Struct::Number(self) } else { Struct::Object(Object::begin(self)?) })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<VariantObject<'a>, CanonError> {
        self.enter(b'{')?;
        string(&mut self.out, variant);
        self.out.push(b':');
        Ok(VariantObject(Object::begin(self)?))
    }
}

/// A struct being written; with `arbitrary_precision`, `serde_json` disguises numbers as structs.
pub(super) enum Struct<'a> {
    Object(Object<'a>),
    Number(&'a mut Writer),
}

/// The fields of a struct variant, inside an object with the variant's name.
pub(super) struct VariantObject<'a>(Object<'a>);

impl SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = CanonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), CanonError> {
        match self {
            Self::Object(object) => object.member(Key::Static(key), value),
            Self::Number(writer) => {
                let start = writer.out.len();
                value.serialize(&mut **writer)?;
                writer.number(start)
            }
        }
    }
    fn end(self) -> Result<(), CanonError> {
        match self {
            Self::Object(object) => object.finish(),
            Self::Number(_) => Ok(()),
        }
    }
}

impl SerializeStructVariant for VariantObject<'_> {
    type Ok = ();
    type Error = CanonError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), CanonError> {
        self.0.member(Key::Static(key), value)
    }
    fn end(self) -> Result<(), CanonError> {
        let Object { writer, place, .. } = self.0;
        writer.end_object(&place)?;
        writer.leave(b'}');
        Ok(())
    }
}

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonError> {
        let keys = &mut self.writer.keys;
        let start = keys.len();
        key.serialize(Text(keys))?;
        self.key = Some(Key::Kept { start, end: keys.len() });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonError> {
        let key = self.key.take().ok_or_else(|| CanonError::custom("a map value without a key"))?;
        self.member(key, value)
    }
    fn end(self) -> Result<(), CanonError> {
        self.finish()
    }
}

macro_rules! array {
    ($($trait:ident :: $method:ident),*) => {$(
        impl $trait for Array<'_> {
            type Ok = ();
            type Error = CanonError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonError> {
                self.element(value)
            }
            fn end(self) -> Result<(), CanonError> {
                self.finish();
                Ok(())
            }
        }
    )*};
}
array!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, u8),
        Named { b: u8, a: u8 },
    }

    #[test]
    fn variants_and_structs_are_sorted_and_match_serde_json() {
        let shapes = (Shape::Unit, Shape::New(1), Shape::Pair(1, 2), Shape::Named { b: 1, a: 2 });
        let text = String::from_utf8(to_canonical(&shapes).unwrap()).unwrap();
        assert_eq!(text, r#"["Unit",{"New":1},{"Pair":[1,2]},{"Named":{"a":2,"b":1}}]"#);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for value in [json!(9_007_199_254_740_992_u64), json!(-9_007_199_254_740_992_i64), json!(1e21)] {
            assert!(matches!(canonical_value(&value), Err(CanonError::NumberRange { .. })), "{value}");
        }
        assert!(matches!(
            canonical_value(&json!({"$serde_json::private::Number": "1"})),
            Err(CanonError::ReservedKey { .. })
        ));
        assert!(to_canonical(&std::collections::BTreeMap::from([(1, 2)])).is_err());
        let deep = (0..MAX_DEPTH).fold(json!(0), |inner, _| json!([inner]));
        assert!(canonical_value(&deep).is_ok());
        assert_eq!(canonical_value(&json!([deep])), Err(CanonError::TooDeep));
    }
}
