//! Heights under attack: equivocators, floods of future rounds, wrong parts.
