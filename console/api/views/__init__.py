"""The API's addresses, one file a noun: find, check the document, call one verb, answer."""
