"""Tell from the name of a column which field of the standard profile it means.

Names are compared as their words run together, in lower case and without accents. Beside English, the usual names in
German, French and Spanish are known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from openprofiles.profiles.standard_profile import ADDRESSES, FIELD_BY_PATH

_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")

# Names that people give to columns, as the words run together in lower case; the API's own names are added below.
_SYNONYMS: dict[str, str] = {
    "AccountNumber": "account accountid accountno accountnr accountnum acct acctid acctno acctnumber acctnum "
    "customerid customerno customernr customernumber customernum custid custno clientid clientno clientnumber "
    "memberid memberno membernumber membershipnumber crmid",
    "AdditionalInformation": "additionalinfo",
    "PartyTypeString": "partytype",
    "BusinessName": "company companyname business organization organisation organizationname organisationname org "
    "orgname employer firm accountname",
    "FirstName": "fname firstnames givenname givennames given forename forenames christianname",
    "MiddleName": "mname middlenames middle middleinitial secondname",
    "LastName": "lname lastnames surname familyname family secondsurname",
    "BirthDate": "dob dateofbirth birthday bday birthdate born",
    "GenderString": "gender sex",
    "PhoneNumber": "phone phoneno phonenr phonenum telephone telephoneno telephonenumber tel telno telnumber telnr "
    "phone1 primaryphone mainphone contactnumber",
    "MobilePhoneNumber": "mobile mobileno mobilenumber mobilenr mobilephone mobiletel cell cellno cellnumber cellphone "
    "cellphonenumber cellular handy smartphone",
    "HomePhoneNumber": "homephone hometel hometelephone homenumber landline landlinenumber",
    "BusinessPhoneNumber": "businessphone businesstel businesstelephone workphone workphonenumber worktel "
    "worktelephone officephone officephonenumber companyphone",
    "EmailAddress": "email mail emailaddr emailid email1 mailaddress primaryemail primaryemailaddress",
    "PersonalEmailAddress": "personalemail privateemail privateemailaddress homeemail homeemailaddress",
    "BusinessEmailAddress": "businessemail workemail workemailaddress officeemail companyemail",
    "ProfileType": "",
}

_ADDRESS_SYNONYMS: dict[str, str] = {
    "Address1": "address addressline addressline1 addr addr1 line1 street street1 streetaddress streetname "
    "streetandnumber streetline1",
    "Address2": "addressline2 addr2 line2 street2 streetline2 apt apartment suite unit",
    "Address3": "addressline3 addr3 line3 street3 streetline3",
    "Address4": "addressline4 addr4 line4 street4 streetline4",
    "City": "town cityname citytown locality",
    "County": "",
    "State": "statecode stateprovince stateorprovince stateregion",
    "Province": "",
    "Country": "countrycode countryname countryregion nation",
    "PostalCode": "zip zipcode postcode postal zippostalcode zippostal postalzip plz",
}

# The same in German, French and Spanish, without accents. What means one thing in one language and another in the next
# is left out, such as "estado".
_SYNONYMS_ABROAD: dict[str, str] = {
    "AccountNumber": "kundennummer kundennr kundenid kundenno kdnr kdnummer mitgliedsnummer mitgliedsnr kontonummer "
    "numeroclient numeroduclient numeroclients numclient idclient codeclient numerodecompte "
    "numerocliente numerodecliente idcliente codigocliente codigodecliente numcliente numerodecuenta",
    "BusinessName": "firma firmenname unternehmen organisationsname societe entreprise raisonsociale nomdelasociete "
    "empresa compania razonsocial nombredelaempresa",
    "FirstName": "vorname vornamen rufname prenom prenoms nombre nombres primernombre nombredepila",
    "MiddleName": "zweitervorname mittelname deuxiemeprenom secondprenom segundonombre",
    "LastName": "nachname nachnamen familienname zuname nom nomdefamille apellido apellidos primerapellido",
    "BirthDate": "geburtsdatum geburtstag gebdatum gebdat datedenaissance datenaissance naissance fechadenacimiento "
    "fechanacimiento nacimiento",
    "GenderString": "geschlecht sexe sexo genero",
    "PhoneNumber": "telefon telefonnummer telefonnr telnummer rufnummer fon festnetz numerodetelephone "
    "numerotelephone numtel telefono numerodetelefono numerotelefono telefonofijo",
    "MobilePhoneNumber": "mobil mobilnummer mobilnr mobiltelefon mobilfunk mobilfunknummer handynummer handynr "
    "portable telephoneportable telportable telephonemobile numerodeportable movil telefonomovil celular "
    "telefonocelular numerodecelular",
    "HomePhoneNumber": "telefonprivat privattelefon telefonnummerprivat telephonedomicile telephonefixe "
    "telefonodecasa telefonoparticular",
    "BusinessPhoneNumber": "telefongeschaftlich telefonnummergeschaftlich diensttelefon telefondienstlich "
    "telephoneprofessionnel telephonetravail telefonodeltrabajo telefonotrabajo telefonolaboral",
    "EmailAddress": "emailadresse mailadresse epost courriel adresseemail adressemail adresseelectronique "
    "adressedecourriel adressecourriel correo correoelectronico direcciondecorreo direcciondecorreoelectronico "
    "direccionemail direcciondeemail",
    "PersonalEmailAddress": "emailprivat privateemailadresse emailpersonnel correopersonal",
    "BusinessEmailAddress": "emailgeschaftlich emaildienstlich emailprofessionnel correodeltrabajo correolaboral",
}

_ADDRESS_SYNONYMS_ABROAD: dict[str, str] = {
    "Address1": "strasse str strassehausnr strassehausnummer strasseundhausnummer strasseundhausnr strassenr "
    "strassennummer anschrift adresse adresse1 adresspostale adressepostale rue numeroetrue calle callenumero "
    "calleynumero direccion direccion1 domicilio",
    "Address2": "adresszusatz adresse2 complementdadresse complementadresse direccion2 complementodireccion",
    "City": "ort stadt wohnort ville commune localite ciudad localidad poblacion",
    "State": "bundesland",
    "Province": "provincia",
    "Country": "land staat pays pais",
    "PostalCode": "postleitzahl codepostal cp codigopostal",
}

# A word that says whose address the rest of the name means. "Home" is a person's own, so the plain address.
_ADDRESS_WORDS = {
    "billing": "BillingAddress",
    "bill": "BillingAddress",
    "invoice": "BillingAddress",
    "shipping": "ShippingAddress",
    "ship": "ShippingAddress",
    "delivery": "ShippingAddress",
    "mailing": "MailingAddress",
    "home": "Address",
}
# Words that say nothing about which field is meant.
_FILLER_WORDS = frozenset(("customer", "client", "contact", "user", "member", "person", "profile", "your", "my", "the"))


def _known_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for path, synonyms in _SYNONYMS.items():
        names |= dict.fromkeys([path.lower(), *synonyms.split(), *_SYNONYMS_ABROAD.get(path, "").split()], path)
    return names


def _known_address_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for member, synonyms in _ADDRESS_SYNONYMS.items():
        abroad = _ADDRESS_SYNONYMS_ABROAD.get(member, "")
        names |= dict.fromkeys([member.lower(), *synonyms.split(), *abroad.split()], member)
    return names


_NAMES = _known_names()
_ADDRESS_NAMES = _known_address_names()


def match_header(header: str) -> tuple[int, str] | None:
    """Find the standard field that a header means, and a rank: 0 is its own name, higher is less sure."""
    words = words_of(header)
    compact = "".join(words)
    if compact in _OWN_NAMES:
        return 0, _OWN_NAMES[compact]
    if compact in _NAMES:
        return 1, _NAMES[compact]
    if compact in _ADDRESS_NAMES:
        return 1, f"Address.{_ADDRESS_NAMES[compact]}"
    path = _match_address(words)
    if path:
        return 2, path
    telling = [word for word in words if word not in _FILLER_WORDS]
    if telling and telling != words and (match := match_header(" ".join(telling))):
        return match[0] + 3, match[1]
    return None


def _match_address(words: Sequence[str]) -> str | None:
    """Match words such as ``billing zip``, ``ship to city``, ``address billing 2``."""
    for index, word in enumerate(words):
        address = _ADDRESS_WORDS.get(word)
        if address is None:
            continue
        rest = [*words[:index], *words[index + 1 :]]
        if rest[index : index + 1] == ["to"]:
            del rest[index]
        for compact in ("".join(rest), "".join(rest).removeprefix("address")):
            if compact in _ADDRESS_NAMES:
                return f"{address}.{_ADDRESS_NAMES[compact]}"
    return None


def words_of(header: str) -> list[str]:
    """Split a header into words: ``E-Mail``, ``FirstName`` and ``Straße 2`` give e mail, first name, strasse 2."""
    spaced = _CAMEL_CASE.sub(" ", unicodedata.normalize("NFKC", header))
    return _WORD.findall(without_accents(spaced.casefold()))


def without_accents(text: str) -> str:
    """Replace letters with accents, such as ``é`` by ``e``."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


_OWN_NAMES = {path.replace(".", "").lower(): path for path in FIELD_BY_PATH} | {
    member.lower(): f"{ADDRESSES[0]}.{member}" for member in _ADDRESS_SYNONYMS
}
