"""The words that people write in headers, in the languages known; ``header_names`` matches them.

Names are written as their words run together, in lower case and without accents. A name that means one thing in one
language and another in the next is left out, such as "estado".
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# English; the API's own names need not be listed.
_ENGLISH = {
    "AccountNumber": "account accountid accountno accountnr accountnum acct acctid acctno acctnumber acctnum "
    "customerid customerno customernr customernumber customernum custid custno clientid clientno clientnumber "
    "memberid memberno membernumber membershipnumber contactid crmid",
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
    "contactnumber",
    "MobilePhoneNumber": "mobile mobileno mobilenumber mobilenr mobilephone mobiletel cell cellno cellnumber cellphone "
    "cellphonenumber cellular handy smartphone",
    "HomePhoneNumber": "homephone hometel hometelephone homenumber landline landlinenumber",
    "BusinessPhoneNumber": "businessphone businesstel businesstelephone workphone workphonenumber worktel "
    "worktelephone officephone officephonenumber companyphone",
    "EmailAddress": "email mail emailaddr emailid mailaddress",
    "PersonalEmailAddress": "personalemail privateemail privateemailaddress homeemail homeemailaddress",
    "BusinessEmailAddress": "businessemail workemail workemailaddress officeemail companyemail",
}

_GERMAN = {
    "BillingAddress.Address1": "rechnungsadresse rechnungsanschrift",
    "ShippingAddress.Address1": "lieferadresse lieferanschrift versandadresse",
    "AccountNumber": "kundennummer kundennr kundenid kundenno kdnr kdnummer mitgliedsnummer mitgliedsnr kontonummer",
    "BusinessName": "firma firmenname unternehmen organisationsname",
    "FirstName": "vorname vornamen rufname",
    "MiddleName": "zweitervorname mittelname",
    "LastName": "nachname nachnamen familienname zuname",
    "BirthDate": "geburtsdatum geburtstag gebdatum gebdat",
    "GenderString": "geschlecht",
    "PhoneNumber": "telefon telefonnummer telefonnr telnummer rufnummer fon festnetz",
    "MobilePhoneNumber": "mobil mobilnummer mobilnr mobiltelefon mobilfunk mobilfunknummer handynummer handynr "
    "telmobil",
    "HomePhoneNumber": "telefonprivat privattelefon telefonnummerprivat",
    "BusinessPhoneNumber": "telefongeschaftlich telefonnummergeschaftlich diensttelefon telefondienstlich",
    "EmailAddress": "emailadresse mailadresse epost",
    "PersonalEmailAddress": "emailprivat privateemailadresse",
    "BusinessEmailAddress": "emailgeschaftlich emaildienstlich",
}

_FRENCH = {
    "AccountNumber": "numeroclient numeroduclient numeroclients numclient idclient codeclient numerodecompte",
    "BusinessName": "societe entreprise raisonsociale nomdelasociete",
    "FirstName": "prenom prenoms",
    "MiddleName": "deuxiemeprenom secondprenom",
    "LastName": "nom nomdefamille",
    "BirthDate": "datedenaissance datenaissance naissance",
    "GenderString": "sexe",
    "PhoneNumber": "numerodetelephone numerotelephone numtel",
    "MobilePhoneNumber": "portable telephoneportable telportable telephonemobile numerodeportable",
    "HomePhoneNumber": "telephonedomicile telephonefixe",
    "BusinessPhoneNumber": "telephoneprofessionnel telephonetravail",
    "EmailAddress": "courriel adresseemail adressemail adresseelectronique adressedecourriel adressecourriel",
    "PersonalEmailAddress": "emailpersonnel",
    "BusinessEmailAddress": "emailprofessionnel",
}

_SPANISH = {
    "AccountNumber": "numerocliente numerodecliente idcliente codigocliente codigodecliente numcliente numerodecuenta",
    "BusinessName": "empresa compania razonsocial nombredelaempresa",
    "FirstName": "nombre nombres primernombre nombredepila",
    "MiddleName": "segundonombre",
    "LastName": "apellido apellidos primerapellido",
    "BirthDate": "fechadenacimiento fechanacimiento nacimiento",
    "GenderString": "sexo genero",
    "PhoneNumber": "telefono numerodetelefono numerotelefono telefonofijo",
    "MobilePhoneNumber": "movil telefonomovil celular telefonocelular numerodecelular",
    "HomePhoneNumber": "telefonodecasa telefonoparticular",
    "BusinessPhoneNumber": "telefonodeltrabajo telefonotrabajo telefonolaboral",
    "EmailAddress": "correo correoelectronico direcciondecorreo direcciondecorreoelectronico direccionemail "
    "direcciondeemail",
    "PersonalEmailAddress": "correopersonal",
    "BusinessEmailAddress": "correodeltrabajo correolaboral",
}

_ITALIAN = {
    "AccountNumber": "codicecliente codcliente ncliente numerodelcliente numerodicliente idcliente",
    "BusinessName": "azienda ragionesociale societa ditta impresa nomeazienda nomeditta organizzazione",
    "FirstName": "nome nomedibattesimo",
    "MiddleName": "secondonome",
    "LastName": "cognome cognomi",
    "BirthDate": "datadinascita datanascita nascita compleanno",
    "GenderString": "sesso genere",
    "PhoneNumber": "numeroditelefono numtelefono recapitotelefonico",
    "MobilePhoneNumber": "cellulare telefonocellulare numerocellulare numerodicellulare telefonomobile",
    "HomePhoneNumber": "telefonocasa telefonodicasa telefonofisso telefonoabitazione",
    "BusinessPhoneNumber": "telefonoufficio telefonolavoro telefonoaziendale",
    "EmailAddress": "postaelettronica indirizzoemail indirizzodiposta indirizzodipostaelettronica",
    "PersonalEmailAddress": "emailpersonale",
    "BusinessEmailAddress": "emailaziendale emaillavoro emailufficio",
}

_PORTUGUESE = {
    "AccountNumber": "codigodocliente numerodocliente iddocliente ndecliente ncliente numerodaconta",
    "BusinessName": "nomedaempresa razaosocial companhia organizacao",
    "FirstName": "primeironome nomeproprio",
    "MiddleName": "nomedomeio segundonome",
    "LastName": "sobrenome apelido apelidos ultimonome",
    "BirthDate": "datadenascimento datanascimento datanasc nascimento",
    "PhoneNumber": "telefone numerodetelefone numerotelefone fone",
    "MobilePhoneNumber": "telemovel telefonecelular numerodecelular numerodetelemovel telefonemovel",
    "HomePhoneNumber": "telefonefixo telefoneresidencial telefonedecasa",
    "BusinessPhoneNumber": "telefonecomercial telefonetrabalho telefonedotrabalho",
    "EmailAddress": "correioeletronico correioelectronico enderecodeemail enderecoemail",
    "PersonalEmailAddress": "emailpessoal",
    "BusinessEmailAddress": "emailcomercial emailprofissional emailcorporativo",
}

_DUTCH = {
    "BillingAddress.Address1": "factuuradres",
    "ShippingAddress.Address1": "leveradres afleveradres bezorgadres verzendadres",
    "AccountNumber": "klantnummer klantnr klantid klantcode debiteurnummer debiteurnr lidnummer lidnr",
    "BusinessName": "bedrijf bedrijfsnaam bedrijfnaam firmanaam organisatie organisatienaam werkgever",
    "FirstName": "voornaam voornamen roepnaam",
    "MiddleName": "tussenvoegsel tussenvoegsels tweedevoornaam tweedenaam",
    "LastName": "achternaam achternamen familienaam",
    "BirthDate": "geboortedatum geboortedag",
    "GenderString": "geslacht",
    "PhoneNumber": "telefoon telefoonnummer telefoonnr",
    "MobilePhoneNumber": "mobiel mobielnummer mobielnr mobieletelefoon gsm gsmnummer",
    "HomePhoneNumber": "telefoonthuis telefoonprive vastetelefoon thuistelefoon",
    "BusinessPhoneNumber": "telefoonwerk telefoonzakelijk zakelijktelefoonnummer werktelefoon",
    "EmailAddress": "emailadres mailadres",
    "PersonalEmailAddress": "emailprive priveemail priveemailadres",
    "BusinessEmailAddress": "emailwerk emailzakelijk zakelijkeemail werkemail",
}

_POLISH = {
    "AccountNumber": "numerklienta nrklienta idklienta kodklienta numerkontrahenta nrkontrahenta idkontrahenta",
    "BusinessName": "nazwafirmy przedsiebiorstwo organizacja nazwaorganizacji pracodawca",
    "FirstName": "imie imiona pierwszeimie",
    "MiddleName": "drugieimie",
    "LastName": "nazwisko nazwiska",
    "BirthDate": "dataurodzenia dataur urodziny",
    "GenderString": "plec",
    "PhoneNumber": "numertelefonu nrtelefonu nrtel numertel",
    "MobilePhoneNumber": "komorka komorkowy telefonkomorkowy numerkomorki numerkomorkowy nrkomorki telkomorkowy",
    "HomePhoneNumber": "telefondomowy telefonstacjonarny",
    "BusinessPhoneNumber": "telefonsluzbowy telefonfirmowy telefondopracy",
    "EmailAddress": "adresemail adresmail adrespocztyelektronicznej pocztaelektroniczna",
    "PersonalEmailAddress": "emailprywatny prywatnyemail",
    "BusinessEmailAddress": "emailsluzbowy emailfirmowy sluzbowyemail",
}

NAMES = (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _DUTCH, _POLISH)

# The members of an address, in the same order of languages.
ADDRESS_NAMES = (
    {
        "Address1": "address addressline addressline1 addr addr1 line1 street street1 streetaddress streetname "
        "streetandnumber streetline1",
        "Address2": "addressline2 addr2 line2 street2 streetline2 apt apartment suite unit",
        "Address3": "addressline3 addr3 line3 street3 streetline3",
        "Address4": "addressline4 addr4 line4 street4 streetline4",
        "City": "town cityname citytown locality",
        "State": "statecode stateprovince stateorprovince stateregion",
        "Province": "provincecode",
        "Country": "countrycode countryname countryregion nation",
        "PostalCode": "zip zipcode postcode postal zippostalcode zippostal postalzip plz",
    },
    {
        "Address1": "strasse str strassehausnr strassehausnummer strasseundhausnummer strasseundhausnr strassenr "
        "strassennummer anschrift",
        "Address2": "adresszusatz",
        "City": "ort stadt wohnort",
        "State": "bundesland",
        "Country": "land staat",
        "PostalCode": "postleitzahl",
    },
    {
        "Address1": "adresse adresse1 adresspostale adressepostale rue numeroetrue",
        "Address2": "adresse2 complementdadresse complementadresse",
        "City": "ville commune localite",
        "Country": "pays",
        "PostalCode": "codepostal cp",
    },
    {
        "Address1": "calle callenumero calleynumero direccion direccion1 domicilio",
        "Address2": "direccion2 complementodireccion",
        "City": "ciudad localidad poblacion",
        "Province": "provincia",
        "Country": "pais",
        "PostalCode": "codigopostal",
    },
    {
        "Address1": "indirizzo indirizzo1 viaenumero viaecivico viaenumerocivico",
        "Address2": "indirizzo2",
        "City": "citta comune localita",
        "State": "regione",
        "Country": "paese nazione codicepaese",
        "PostalCode": "cap codicepostale codiceavviamentopostale",
    },
    {
        "Address1": "endereco endereco1 morada morada1 rua logradouro ruaenumero",
        "Address2": "endereco2 morada2",
        "City": "cidade localidade municipio",
        "State": "uf",
        "Country": "codigopais codigodopais",
        "PostalCode": "cep codpostal",
    },
    {
        "Address1": "adres adres1 straat straatnaam straatenhuisnummer straathuisnummer straatennummer",
        "Address2": "adres2",
        "City": "plaats woonplaats stad plaatsnaam gemeente",
        "Province": "provincie",
        "Country": "landcode",
    },
    {
        "Address1": "ulica ulicainumer ulicainrdomu",
        "City": "miasto miejscowosc",
        "Province": "wojewodztwo",
        "Country": "kraj panstwo kodkraju",
        "PostalCode": "kodpocztowy kodpoczt",
    },
)

# Names that mean a member only after a word that says that they are of an address.
QUALIFIED_ADDRESS_NAMES = {"State": "region", "Address2": "extendedaddress"}

# A word that says whose address the rest of the name means.
ADDRESS_WORDS = {
    "BillingAddress": "billing bill invoice rechnung rechnungs rechnungsadresse rechnungsanschrift facturation "
    "facturacion fatturazione faturacao faturamento cobranca factuur factuuradres faktury rozliczeniowy",
    "ShippingAddress": "shipping ship delivery lieferung liefer lieferadresse lieferanschrift versand versandadresse "
    "livraison expedition envio entrega spedizione consegna levering leveradres afleveradres bezorgadres verzend "
    "verzendadres dostawy wysylki",
    "MailingAddress": "mailing",
    # A person's own, or the only one there is.
    "Address": "home address business work office company",
}
# The address of a payment card is that to which bills go, if the name says "address", too.
CARD_WORDS = ("card", "address")

# Words that say which of several columns of a kind is the one to use.
PRIMARY_WORDS = _words("primary main default preferred principal haupt principale hoofd glowny")
# Words that say nothing about which field is meant.
FILLER_WORDS = _words("customer client contact user member person profile your my the")
CONNECTING_WORDS = _words("to of for de du des del la le di da do das van voor fur pour para per")

# Names of fields that also mean other things, such as models of telephones.
AMBIGUOUS_NAMES = _words("cell cellular handy mobiel mobil mobile portable smartphone")

# What only looks like a field with a word before it.
NOT_FIELDS = frozenset(("businessunit",))

# The name of a person in one cell.
FULL_NAMES = _words(
    "name fullname displayname namefull vollstandigername nomcomplet nometprenom nomprenom prenomnom nombrecompleto "
    "nombreyapellidos nomecompleto nomeecognome cognomeenome cognomenome nominativo volledigenaam naam imieinazwisko "
    "nazwiskoiimie"
)

# Of these, the names that mean a last name next to a column of first names.
LAST_NAMES_BESIDE_FIRST = _words("name naam")

# What a column with the names of customers may be called, as well as one with their numbers.
CUSTOMERS = _words(
    "contact contactperson customer client kunde kontakt kontaktperson ansprechpartner ansprechperson contato cliente "
    "contacto personadecontacto contatto referente klant contactpersoon klient kontrahent osobakontaktowa interlocuteur"
)

# Words for one who has a number, and words for such a number; together they name the number of a customer.
CUSTOMER_WORDS = _words(
    "customer cust client contact user member membership account acct subscriber kunde kunden kd mitglied mitglieds "
    "kontakt konto benutzer nutzer debitor debitoren compte membre utilisateur abonne cliente clientes cuenta socio "
    "miembro usuario contacto contatto utente conto conta utilizador membro contato klant klanten debiteur lid "
    "gebruiker rekening klient klienta kontrahent kontrahenta uzytkownik uzytkownika konta czlonka"
)
ID_WORDS = _words(
    "id ids uid uuid guid key identifier no nr num number nummer numero numer code kod codice codigo ref reference "
    "login username"
)

# What lists call the number of a row, which says nothing about the customer in it.
ROW_WORDS = _words(
    "row rownum rownumber rowno rowid index idx line lineno linenumber record seq sequence serial sr sl s sno item pos "
    "position rank unnamed n zeile zeilennummer zeilennr lfd lfdnr laufende fortlaufende positionsnummer "
    "ligne rang ordre fila linea riga ordine progressivo linha ordem rij rijnummer regel regelnummer volgnummer "
    "wiersz wiersza lp liczba"
)

# What the date of the last change of a row is called.
CHANGE_DATES = _words(
    "modified modifiedat modifiedon modifieddate datemodified lastmodified lastmodifiedat lastmodifiedon "
    "lastmodifieddate lastmodifiedtime changed changedat changedon changedate lastchanged lastchange lastchangedate "
    "updated updatedat updatedon updateddate updatedate dateupdated lastupdated lastupdatedat lastupdatedon "
    "lastupdateddate lastupdate lastupdatedate systemmodstamp "
    "geandert geandertam anderungsdatum letzteanderung letzteanderungam datumderletztenanderung zuletztgeandert "
    "zuletztgeandertam aktualisiert aktualisiertam zuletztaktualisiert "
    "modifie modifiele datemodification datedemodification datededernieremodification dernieremodification "
    "datedeladernieremodification misajour misajourle datedemiseajour dernieremiseajour "
    "modificadoel fechamodificacion fechademodificacion ultimamodificacion fechadeultimamodificacion actualizado "
    "actualizadoel fechaactualizacion fechadeactualizacion ultimaactualizacion "
    "modificato modificatoil datamodifica datadimodifica ultimamodifica dataultimamodifica aggiornato aggiornatoil "
    "dataaggiornamento datadiaggiornamento ultimoaggiornamento "
    "modificado modificadoem alteradoem datadealteracao datadamodificacao datademodificacao ultimaalteracao "
    "ultimamodificacao atualizado atualizadoem datadeatualizacao dataatualizacao ultimaatualizacao "
    "gewijzigd gewijzigdop wijzigingsdatum laatstgewijzigd laatstgewijzigdop laatstewijziging bijgewerkt bijgewerktop "
    "laatstbijgewerkt "
    "zmieniono zmodyfikowano datamodyfikacji datazmiany ostatniamodyfikacja ostatniazmiana zaktualizowano "
    "dataaktualizacji ostatniaaktualizacja"
)
